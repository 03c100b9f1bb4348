/* WAMR's platform layer without an operating system: time, the stack, and locks that nobody contends. */
#include "machine.h"

#include "platform_api_extension.h"
#include "platform_api_vmcore.h"

struct wamr_sys_machine wamr_sys_machine;

/* Called once, before WAMR starts. */
void
wamr_sys_bare_start(const struct wamr_sys_machine *machine)
{
    wamr_sys_machine = *machine;
    wamr_sys_pages_reset();
}

int
bh_platform_init(void)
{
    return 0;
}

void
bh_platform_destroy(void)
{}

/* WAMR's own messages: what matters comes back as an error text. */
int
os_printf(const char *format, ...)
{
    (void)format;
    return 0;
}

int
os_vprintf(const char *format, va_list arguments)
{
    (void)format;
    (void)arguments;
    return 0;
}

uint64
os_time_get_boot_us(void)
{
    return wamr_sys_machine.uptime_us();
}

uint64
os_time_thread_cputime_us(void)
{
    return wamr_sys_machine.uptime_us();
}

int
os_usleep(uint32 microseconds)
{
    uint64 until = wamr_sys_machine.uptime_us() + microseconds;

    while (wamr_sys_machine.uptime_us() < until)
        ;
    return BHT_OK;
}

/* ---- the only thread ---- */

korp_tid
os_self_thread(void)
{
    return 1;
}

uint8 *
os_thread_get_stack_boundary(void)
{
    return wamr_sys_machine.stack_limit;
}

void
os_thread_jit_write_protect_np(bool enabled)
{
    (void)enabled;
}

int
os_mutex_init(korp_mutex *mutex)
{
    *mutex = 0;
    return BHT_OK;
}

int
os_mutex_destroy(korp_mutex *mutex)
{
    (void)mutex;
    return BHT_OK;
}

int
os_mutex_lock(korp_mutex *mutex)
{
    (void)mutex;
    return BHT_OK;
}

int
os_mutex_unlock(korp_mutex *mutex)
{
    (void)mutex;
    return BHT_OK;
}

int
os_cond_init(korp_cond *condition)
{
    *condition = 0;
    return BHT_OK;
}

int
os_cond_destroy(korp_cond *condition)
{
    (void)condition;
    return BHT_OK;
}

/* Nobody would ever signal it. */
int
os_cond_wait(korp_cond *condition, korp_mutex *mutex)
{
    (void)condition;
    (void)mutex;
    return BHT_ERROR;
}

int
os_cond_reltimedwait(korp_cond *condition, korp_mutex *mutex, uint64 microseconds)
{
    (void)condition;
    (void)mutex;
    (void)microseconds;
    return BHT_TIMED_OUT;
}

int
os_cond_signal(korp_cond *condition)
{
    (void)condition;
    return BHT_OK;
}

int
os_cond_broadcast(korp_cond *condition)
{
    (void)condition;
    return BHT_OK;
}
