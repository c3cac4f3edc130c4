"""The stack of a thread: where it is, and how much of it was ever used.

Used pages stay in memory until the thread ends, so that the lowest one that is there tells the most that was ever used,
to the size of a page, and nobody has to paint the stack or to look while a handler runs.  Pages that the system has
swapped out are not seen.  Linux only; elsewhere nothing is known.
"""

from libc.stdint cimport uintptr_t

cdef extern from *:
    """
    #if defined(__linux__)
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <pthread.h>
    #include <stddef.h>
    #include <stdint.h>
    #include <sys/mman.h>
    #include <unistd.h>

    /* Where the stack of the calling thread begins and how long it is; 0 when that is not known. */
    static int brrt_stack_here(uintptr_t *low, size_t *size)
    {
        pthread_attr_t attributes;
        void *address;
        int failed = pthread_getattr_np(pthread_self(), &attributes);
        if (failed)
            return 0;
        failed = pthread_attr_getstack(&attributes, &address, size);
        pthread_attr_destroy(&attributes);
        if (failed || *size == 0)
            return 0;
        *low = (uintptr_t)address;
        /* A huge page would be in memory as a whole, whatever part of it was used. */
        madvise(address, *size, MADV_NOHUGEPAGE);
        return 1;
    }

    /* Bytes from the lowest page in memory to the end of the stack; 0 when the thread has gone. */
    static size_t brrt_stack_high_water(uintptr_t low, size_t size)
    {
        enum { PAGES = 512 };
        unsigned char there[PAGES];
        const size_t page = (size_t)sysconf(_SC_PAGESIZE);
        const uintptr_t end = low + size;
        uintptr_t at = (low + page - 1) / page * page;
        while (at < end) {
            size_t count = (end - at + page - 1) / page;
            if (count > PAGES)
                count = PAGES;
            /* The mapping may end with the thread at any time: then this says so, and nothing was touched. */
            if (mincore((void *)at, count * page, there) != 0)
                return 0;
            for (size_t i = 0; i < count; i++)
                if (there[i] & 1)
                    return end - (at + i * page);
            at += count * page;
        }
        return 0;
    }
    #else
    #include <stddef.h>
    #include <stdint.h>
    static int brrt_stack_here(uintptr_t *low, size_t *size) { (void)low; (void)size; return 0; }
    static size_t brrt_stack_high_water(uintptr_t low, size_t size) { (void)low; (void)size; return 0; }
    #endif
    """
    int brrt_stack_here(uintptr_t *low, size_t *size) nogil
    size_t brrt_stack_high_water(uintptr_t low, size_t size) nogil


def stack_here():
    """(lowest address, bytes) of the stack of the calling thread; None where that is not known."""
    cdef uintptr_t low = 0
    cdef size_t size = 0
    return (low, size) if brrt_stack_here(&low, &size) else None


def high_water(stack not None):
    """The most bytes of a stack of `stack_here` that its thread has ever used, to the size of a page; any thread may ask.

    0 when the thread has gone.
    """
    cdef uintptr_t low
    cdef size_t size
    low, size = stack
    return brrt_stack_high_water(low, size)
