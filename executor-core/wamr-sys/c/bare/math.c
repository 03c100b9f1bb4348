/* Mathematics. Each builtin is an instruction of the processors that this layer is for (Armv8-A; Cortex-M7 with its
 * floating-point unit of double precision), which the compiler takes for the name, too, wherever it is called. */
#include <math.h>

#define ONE_ARGUMENT(name)                \
    double name(double x)                 \
    {                                     \
        return __builtin_##name(x);       \
    }                                     \
    float name##f(float x)                \
    {                                     \
        return __builtin_##name##f(x);    \
    }

ONE_ARGUMENT(ceil)
ONE_ARGUMENT(fabs)
ONE_ARGUMENT(floor)
ONE_ARGUMENT(rint)
ONE_ARGUMENT(sqrt)
ONE_ARGUMENT(trunc)

/* A number wins over a NaN (C11 F.10.9), a negative zero is less than a positive one. */
#define TWO_ARGUMENTS(type, suffix)                                   \
    type fmin##suffix(type x, type y)                                 \
    {                                                                 \
        if (isnan(x) || isnan(y))                                     \
            return isnan(x) ? y : x;                                  \
        return x < y || (x == y && signbit(x)) ? x : y;               \
    }                                                                 \
    type fmax##suffix(type x, type y)                                 \
    {                                                                 \
        if (isnan(x) || isnan(y))                                     \
            return isnan(x) ? y : x;                                  \
        return x > y || (x == y && !signbit(x)) ? x : y;              \
    }                                                                 \
    type copysign##suffix(type x, type y)                             \
    {                                                                 \
        return __builtin_copysign##suffix(x, y);                      \
    }

TWO_ARGUMENTS(double, )
TWO_ARGUMENTS(float, f)
