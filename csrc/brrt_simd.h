/* A vector of bytes in three implementations chosen at compile time, and a search over it; private to csrc.
 *
 * SSE2 and NEON work on 16 bytes, the portable one on the 8 bytes of a 64-bit word; BRRT_NO_SIMD asks for the
 * portable one.  A predicate gives a mask: every bit of a lane is set where it holds (the portable one sets only
 * the lane's top bit); the bounds of ranges are ASCII.  brrt_v_bits makes an integer of a mask with one bit for each
 * lane, the first byte lowest.
 */
#ifndef BRRT_SIMD_H
#define BRRT_SIMD_H

#include "brrt_bytes.h"

#if !defined(BRRT_NO_SIMD) && defined(__SSE2__)

#include <emmintrin.h>

typedef __m128i brrt_v;
enum { BRRT_V_BYTES = 16, BRRT_V_SHIFT = 0 }; /* SHIFT: log2 of the distance of two lanes in brrt_v_bits */

static inline brrt_v brrt_v_load(const char *p) {
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline brrt_v brrt_v_words(uint64_t low, uint64_t high) {
    return _mm_set_epi64x((int64_t)high, (int64_t)low);
}

static inline brrt_v brrt_v_or(brrt_v a, brrt_v b) {
    return _mm_or_si128(a, b);
}

static inline brrt_v brrt_v_and(brrt_v a, brrt_v b) {
    return _mm_and_si128(a, b);
}

static inline brrt_v brrt_v_and_not(brrt_v a, brrt_v b) {
    return _mm_andnot_si128(b, a);
}

static inline brrt_v brrt_v_fold(brrt_v v) {
    return _mm_or_si128(v, _mm_set1_epi8(0x20));
}

static inline brrt_v brrt_v_eq(brrt_v v, char c) {
    return _mm_cmpeq_epi8(v, _mm_set1_epi8(c));
}

/* SSE2 compares signed bytes only: low to high are moved to the top of their range. */
static inline brrt_v brrt_v_range(brrt_v v, char low, char high) {
    brrt_v moved = _mm_add_epi8(v, _mm_set1_epi8((char)(127 - high)));
    return _mm_cmpgt_epi8(moved, _mm_set1_epi8((char)(126 - (high - low))));
}

static inline brrt_v brrt_v_outside(brrt_v v, char low, char high) {
    brrt_v moved = _mm_add_epi8(v, _mm_set1_epi8((char)(127 - high)));
    return _mm_cmplt_epi8(moved, _mm_set1_epi8((char)(127 - (high - low))));
}

static inline brrt_v brrt_v_high(brrt_v v) {
    return _mm_cmpgt_epi8(_mm_setzero_si128(), v);
}

static inline uint64_t brrt_v_bits(brrt_v mask) {
    return (uint64_t)(unsigned)_mm_movemask_epi8(mask);
}

#elif !defined(BRRT_NO_SIMD) && defined(__ARM_NEON) && defined(__aarch64__) && !defined(__AARCH64EB__)

#include <arm_neon.h>

typedef uint8x16_t brrt_v;
enum { BRRT_V_BYTES = 16, BRRT_V_SHIFT = 2 };

static inline brrt_v brrt_v_load(const char *p) {
    return vld1q_u8((const uint8_t *)p);
}

static inline brrt_v brrt_v_words(uint64_t low, uint64_t high) {
    return vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(low), vcreate_u64(high)));
}

static inline brrt_v brrt_v_or(brrt_v a, brrt_v b) {
    return vorrq_u8(a, b);
}

static inline brrt_v brrt_v_and(brrt_v a, brrt_v b) {
    return vandq_u8(a, b);
}

static inline brrt_v brrt_v_and_not(brrt_v a, brrt_v b) {
    return vbicq_u8(a, b);
}

static inline brrt_v brrt_v_fold(brrt_v v) {
    return vorrq_u8(v, vdupq_n_u8(0x20));
}

static inline brrt_v brrt_v_eq(brrt_v v, char c) {
    return vceqq_u8(v, vdupq_n_u8((uint8_t)c));
}

static inline brrt_v brrt_v_range(brrt_v v, char low, char high) {
    return vcleq_u8(vsubq_u8(v, vdupq_n_u8((uint8_t)low)), vdupq_n_u8((uint8_t)(high - low)));
}

static inline brrt_v brrt_v_outside(brrt_v v, char low, char high) {
    return vcgtq_u8(vsubq_u8(v, vdupq_n_u8((uint8_t)low)), vdupq_n_u8((uint8_t)(high - low)));
}

static inline brrt_v brrt_v_high(brrt_v v) {
    return vcltzq_s8(vreinterpretq_s8_u8(v));
}

static inline uint64_t brrt_v_bits(brrt_v mask) {
    uint8x8_t nibbles = vshrn_n_u16(vreinterpretq_u16_u8(mask), 4);
    return vget_lane_u64(vreinterpret_u64_u8(nibbles), 0) & UINT64_C(0x1111111111111111);
}

#else

typedef uint64_t brrt_v;
enum { BRRT_V_BYTES = 8, BRRT_V_SHIFT = 3 };

#define BRRT_V_ALL(byte) (UINT64_C(0x0101010101010101) * (uint8_t)(byte))

static inline brrt_v brrt_v_load(const char *p) {
    return brrt_load64(p);
}

static inline brrt_v brrt_v_or(brrt_v a, brrt_v b) {
    return a | b;
}

static inline brrt_v brrt_v_and(brrt_v a, brrt_v b) {
    return a & b;
}

static inline brrt_v brrt_v_and_not(brrt_v a, brrt_v b) {
    return a & ~b;
}

static inline brrt_v brrt_v_fold(brrt_v v) {
    return v | BRRT_V_ALL(0x20);
}

/* Adding to the low seven bits of a lane cannot carry into the next lane. */
static inline brrt_v brrt_v_eq(brrt_v v, char c) {
    uint64_t x = v ^ BRRT_V_ALL(c);
    return ~(((x & BRRT_V_ALL(0x7F)) + BRRT_V_ALL(0x7F)) | x) & BRRT_V_ALL(0x80);
}

static inline brrt_v brrt_v_range(brrt_v v, char low, char high) {
    uint64_t x = v & BRRT_V_ALL(0x7F);
    uint64_t from_low = x + BRRT_V_ALL(0x80 - low);
    uint64_t above_high = x + BRRT_V_ALL(0x7F - high);
    return from_low & ~above_high & ~v & BRRT_V_ALL(0x80);
}

static inline brrt_v brrt_v_outside(brrt_v v, char low, char high) {
    return ~brrt_v_range(v, low, high) & BRRT_V_ALL(0x80);
}

static inline brrt_v brrt_v_high(brrt_v v) {
    return v & BRRT_V_ALL(0x80);
}

static inline uint64_t brrt_v_bits(brrt_v mask) {
    return mask & BRRT_V_ALL(0x80);
}

#endif

/* The index of the first lane in bits that are not zero. */
static inline size_t brrt_v_first(uint64_t bits) {
    return (unsigned)__builtin_ctzll(bits) >> BRRT_V_SHIFT;
}

/* The bits without those of the first n lanes, the next lane now the first; n is below BRRT_V_BYTES. */
static inline uint64_t brrt_v_drop(uint64_t bits, size_t n) {
    return bits >> (n << BRRT_V_SHIFT);
}

/* The n bytes at p, n below BRRT_V_BYTES, in a vector whose other lanes are zero. */
static inline brrt_v brrt_v_load_short(const char *p, size_t n) {
#ifdef BRRT_V_ALL
    return brrt_load_short(p, n);
#else
    if (n < 8) {
        return brrt_v_words(brrt_load_short(p, n), 0);
    }
    return brrt_v_words(brrt_load64(p), brrt_load64(p + n - 8) >> (8 * (15 - n)) >> 8);
#endif
}

typedef brrt_v (*brrt_v_class)(brrt_v v);

/* The first byte in [p, end) for which `stop` holds, or end.  [base, end) must be readable and hold p: the last
 * bytes are looked at in a vector that begins before p rather than in one that goes beyond the end. */
__attribute__((always_inline)) static inline const char *brrt_v_find(const char *base, const char *p, const char *end,
                                                                     brrt_v_class stop) {
    uint64_t bits;
    for (; end - p >= BRRT_V_BYTES; p += BRRT_V_BYTES) {
        bits = brrt_v_bits(stop(brrt_v_load(p)));
        if (bits != 0) {
            return p + brrt_v_first(bits);
        }
    }
    if (p == end) {
        return end;
    }
    size_t left = (size_t)(end - p);
    if (end - base >= BRRT_V_BYTES) {
        bits = brrt_v_drop(brrt_v_bits(stop(brrt_v_load(end - BRRT_V_BYTES))), BRRT_V_BYTES - left);
        return bits != 0 ? p + brrt_v_first(bits) : end;
    }
    bits = brrt_v_bits(stop(brrt_v_load_short(p, left)));
    size_t found = bits != 0 ? brrt_v_first(bits) : left;
    return found < left ? p + found : end;
}

/* Everything but letters, digits, '-' and '.': what ends nearly every method, field name and host. */
static inline brrt_v brrt_v_not_plain(brrt_v v) {
    brrt_v neither = brrt_v_and(brrt_v_outside(brrt_v_fold(v), 'a', 'z'), brrt_v_outside(v, '-', '9'));
    return brrt_v_or(neither, brrt_v_eq(v, '/'));
}

#endif
