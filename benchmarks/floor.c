/* What no compiled matcher that returns Python objects can beat: C functions that do no matching at all.
 *
 * prebuilt(method, path)  returns one tuple made at import;
 * two(method, path)       returns a new tuple with a new dict of two new str, six characters of the path each. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>

static PyObject *prebuilt_tuple, *first_name, *second_name;

static PyObject *prebuilt(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)self;
    (void)args;
    (void)count;
    return Py_NewRef(prebuilt_tuple);
}

static PyObject *copy(const char *s, Py_ssize_t len) {
    PyObject *text = PyUnicode_New(len, 127);
    if (text != NULL) {
        memcpy(PyUnicode_1BYTE_DATA(text), s, (size_t)len);
    }
    return text;
}

static PyObject *two(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)self;
    if (count != 2 || !PyUnicode_IS_COMPACT_ASCII(args[1])) {
        PyErr_SetString(PyExc_TypeError, "two(method, path): an ASCII path");
        return NULL;
    }
    const char *s = (const char *)PyUnicode_1BYTE_DATA(args[1]);
    Py_ssize_t len = PyUnicode_GET_LENGTH(args[1]);
    Py_ssize_t half = len < 12 ? len / 2 : 6;
    PyObject *first = copy(s, half), *second = copy(s + len - half, half);
    PyObject *dict = PyDict_New(), *out = NULL;
    if (first != NULL && second != NULL && dict != NULL && PyDict_SetItem(dict, first_name, first) == 0 &&
        PyDict_SetItem(dict, second_name, second) == 0) {
        out = PyTuple_Pack(2, prebuilt_tuple, dict);
    }
    Py_XDECREF(first);
    Py_XDECREF(second);
    Py_XDECREF(dict);
    return out;
}

static PyMethodDef methods[] = {
    {"prebuilt", (PyCFunction)(void (*)(void))prebuilt, METH_FASTCALL, "One tuple, always the same."},
    {"two", (PyCFunction)(void (*)(void))two, METH_FASTCALL, "A new tuple with a new dict of two new str."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "brrt_floor", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_brrt_floor(void) {
    prebuilt_tuple = Py_BuildValue("(s{})", "value");
    first_name = PyUnicode_InternFromString("owner");
    second_name = PyUnicode_InternFromString("repo");
    return prebuilt_tuple != NULL && first_name != NULL && second_name != NULL ? PyModule_Create(&module) : NULL;
}
