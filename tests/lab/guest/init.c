/*
 * The whole user space of a test guest: says what its kernel was told, then does as told.
 *
 *   guest.poweroff=N   power off after N seconds
 *   guest.reboot=N     reset after N seconds
 *   guest.crash=N      let the kernel panic after N seconds
 *   (none)             stay, and say each line that is typed on the console back
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

static char cmdline[4096];

/* The seconds that follow a word on the kernel command line, or -1. */
static int asked(const char *word)
{
    const char *at = strstr(cmdline, word);
    return at ? atoi(at + strlen(word)) : -1;
}

int main(void)
{
    char line[512];
    FILE *file;
    int seconds;

    setvbuf(stdout, NULL, _IONBF, 0);
    mkdir("/proc", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    file = fopen("/proc/cmdline", "r");
    if (file == NULL || fgets(cmdline, sizeof cmdline, file) == NULL) {
        printf("zeroth-guest: cannot read /proc/cmdline\n");
        return 1;
    }
    fclose(file);
    cmdline[strcspn(cmdline, "\n")] = '\0';
    printf("zeroth-guest: cmdline: %s\n", cmdline);
    if ((seconds = asked("guest.poweroff=")) >= 0) {
        sleep(seconds);
        printf("zeroth-guest: powers off\n");
        sync();
        reboot(RB_POWER_OFF);
    }
    if ((seconds = asked("guest.reboot=")) >= 0) {
        sleep(seconds);
        printf("zeroth-guest: resets\n");
        reboot(RB_AUTOBOOT);
    }
    if ((seconds = asked("guest.crash=")) >= 0) {
        sleep(seconds);
        printf("zeroth-guest: ends its first process\n");
        return 1;
    }
    printf("zeroth-guest: ready\n");
    for (;;) {
        if (fgets(line, sizeof line, stdin) == NULL) {
            clearerr(stdin);
            sleep(1);
        } else {
            printf("zeroth-guest: heard: %s", line);
        }
    }
}
