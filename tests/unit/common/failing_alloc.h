/*
 * Makes the n-th allocation of the code under test fail. Link with the options in ../common/CMakeLists.txt
 * (--wrap): calls from our own objects are counted, those inside shared libraries are not.
 */
#ifndef LOGMILL_TESTS_FAILING_ALLOC_H
#define LOGMILL_TESTS_FAILING_ALLOC_H

#include <stdbool.h>

/* The `nth` allocation from now on (from 1) and every later one fails; 0: none does. */
void failing_alloc_after(unsigned nth);
/* Whether one failed since the last failing_alloc_after. */
bool failing_alloc_struck(void);

#endif
