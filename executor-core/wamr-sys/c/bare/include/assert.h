#ifndef WAMR_SYS_ASSERT_H
#define WAMR_SYS_ASSERT_H
#define assert(condition) ((void)0)
#define static_assert _Static_assert
#endif
