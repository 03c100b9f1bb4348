#ifndef WAMR_SYS_TIME_H
#define WAMR_SYS_TIME_H
typedef long long time_t;
#endif
