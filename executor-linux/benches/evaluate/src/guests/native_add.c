/* `add` as a native program without a C library, for the peer that starts a process for each run: as little as a process can
 * be. Reads {"param1":A,"param2":B} from standard input, prints {"result":A+B}.
 *
 * Build: cc -O2 -static -nostdlib -ffreestanding -fno-stack-protector native_add.c */

static long call(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

static char input[4096], output[64];

static const char *next_number(const char *at, const char *end, long *number) {
    long value = 0, sign = 1;
    while (at < end && *at != ':') at++;
    for (at++; at < end && (*at == ' ' || *at == '-'); at++)
        if (*at == '-') sign = -1;
    for (; at < end && *at >= '0' && *at <= '9'; at++) value = value * 10 + (*at - '0');
    *number = sign * value;
    return at;
}

void _start(void) {
    long len = 0, read = 0;
    while (len < (long)sizeof input && (read = call(0, 0, (long)(input + len), (long)sizeof input - len)) > 0) len += read;
    const char *at = input, *end = input + len;
    long first, second;
    at = next_number(at, end, &first);
    next_number(at, end, &second);
    long sum = first + second;
    unsigned long rest = sum < 0 ? -(unsigned long)sum : (unsigned long)sum;
    char *digit = output + sizeof output;
    *--digit = '}';
    do *--digit = (char)('0' + rest % 10);
    while ((rest /= 10) != 0);
    if (sum < 0) *--digit = '-';
    static const char name[] = "{\"result\":";
    for (long index = (long)sizeof name - 2; index >= 0; index--) *--digit = name[index];
    call(1, 1, (long)digit, output + sizeof output - digit);
    call(231, 0, 0, 0);
    __builtin_unreachable();
}
