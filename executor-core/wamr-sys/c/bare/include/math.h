/* What WAMR computes with, and what AOT code may call. */
#ifndef WAMR_SYS_MATH_H
#define WAMR_SYS_MATH_H
#define NAN __builtin_nanf("")
#define INFINITY __builtin_inff()
#define isnan(x) __builtin_isnan(x)
#define isinf(x) __builtin_isinf(x)
#define signbit(x) __builtin_signbit(x)
/* math.c */
double
ceil(double x);
float
ceilf(float x);
double
floor(double x);
float
floorf(float x);
double
trunc(double x);
float
truncf(float x);
double
rint(double x);
float
rintf(float x);
double
sqrt(double x);
float
sqrtf(float x);
double
fabs(double x);
float
fabsf(float x);
double
fmin(double x, double y);
float
fminf(float x, float y);
double
fmax(double x, double y);
float
fmaxf(float x, float y);
double
copysign(double x, double y);
float
copysignf(float x, float y);
#endif
