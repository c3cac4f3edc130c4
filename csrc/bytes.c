/* The tables of brrt_bytes.h. */
#include "brrt_bytes.h"

#define TOKEN BRRT_IS_TOKEN
#define NAME BRRT_IS_REG_NAME
#define BOTH (BRRT_IS_TOKEN | BRRT_IS_REG_NAME)
#define DIGIT (BRRT_IS_TOKEN | BRRT_IS_REG_NAME | BRRT_IS_HEX)

const uint8_t brrt_class[256] = {
    ['0' ... '9'] = DIGIT, ['A' ... 'F'] = DIGIT, ['a' ... 'f'] = DIGIT, ['G' ... 'Z'] = BOTH,
    ['g' ... 'z'] = BOTH,  ['-'] = BOTH,          ['.'] = BOTH,          ['_'] = BOTH,
    ['~'] = BOTH,          ['!'] = BOTH,          ['$'] = BOTH,          ['&'] = BOTH,
    ['\''] = BOTH,         ['*'] = BOTH,          ['+'] = BOTH,          ['#'] = TOKEN,
    ['%'] = TOKEN,         ['^'] = TOKEN,         ['`'] = TOKEN,         ['|'] = TOKEN,
    ['('] = NAME,          [')'] = NAME,          [','] = NAME,          [';'] = NAME,
    ['='] = NAME,
};

const int8_t brrt_hex[256] = {
    [0 ... '0' - 1] = -1,
    ['0'] = 0, ['1'] = 1, ['2'] = 2, ['3'] = 3, ['4'] = 4,
    ['5'] = 5, ['6'] = 6, ['7'] = 7, ['8'] = 8, ['9'] = 9,
    ['9' + 1 ... 'A' - 1] = -1,
    ['A'] = 10, ['B'] = 11, ['C'] = 12, ['D'] = 13, ['E'] = 14, ['F'] = 15,
    ['F' + 1 ... 'a' - 1] = -1,
    ['a'] = 10, ['b'] = 11, ['c'] = 12, ['d'] = 13, ['e'] = 14, ['f'] = 15,
    ['f' + 1 ... 255] = -1,
};
