#include "ctl/ask/prompt.h"

#include <errno.h>
#include <histedit.h>
#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#define HISTORY_LINES 1000

struct ct_prompt {
    EditLine *edit; /* NULL: standard input is no terminal */
    History *history;
    char path[1024]; /* of the history; "": none */
    bool dropped;    /* Ctrl-C ended the read */
    sigset_t mask;   /* with which a key is waited for: SIGINT comes through then, and only then */
    char *line;
    size_t size;
};

static char *prompt_text(EditLine *edit)
{
    static char text[] = "logmill> ";
    (void)edit;
    return text;
}

/* Characters of more than a byte are read by the locale: without a UTF-8 one Korean could not be typed. */
static void choose_locale(void)
{
    (void)setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        (void)setlocale(LC_CTYPE, "C.UTF-8");
}

static void find_history(struct ct_prompt *prompt, const char *path)
{
    const char *home = getenv("HOME");
    const bool at_home = strncmp(path, "~/", 2) == 0;
    int len = at_home && home != NULL ? snprintf(prompt->path, sizeof prompt->path, "%s%s", home, path + 1)
                                      : snprintf(prompt->path, sizeof prompt->path, "%s", path);
    if (len < 0 || (size_t)len >= sizeof prompt->path || (at_home && home == NULL))
        prompt->path[0] = '\0';
}

/* libedit's own reader goes on after an interruption. 1, 0 at the end, -1. */
static int read_character(EditLine *edit, wchar_t *out)
{
    struct ct_prompt *prompt = NULL;
    char bytes[MB_LEN_MAX];
    size_t len = 0;

    (void)el_get(edit, EL_CLIENTDATA, &prompt);
    for (;;) {
        struct pollfd key = {.fd = STDIN_FILENO, .events = POLLIN};
        if (ppoll(&key, 1, NULL, &prompt->mask) < 0) {
            prompt->dropped = errno == EINTR;
            return -1;
        }
        ssize_t got = read(STDIN_FILENO, bytes + len, 1);
        if (got <= 0)
            return got < 0 ? -1 : 0;
        mbstate_t state = {0};
        size_t used = mbrtowc(out, bytes, ++len, &state);
        if (used <= len)
            return 1;
        if (used == (size_t)-1 || len == sizeof bytes) /* no character: skipped */
            len = 0;
    }
}

static int open_editor(struct ct_prompt *prompt)
{
    HistEvent event;

    choose_locale();
    prompt->history = history_init();
    prompt->edit = el_init("logmill-ctl", stdin, stdout, stderr);
    if (prompt->history == NULL || prompt->edit == NULL)
        return -1;
    (void)history(prompt->history, &event, H_SETSIZE, HISTORY_LINES);
    (void)history(prompt->history, &event, H_SETUNIQUE, 1);
    if (prompt->path[0] != '\0')
        (void)history(prompt->history, &event, H_LOAD, prompt->path);
    (void)el_set(prompt->edit, EL_CLIENTDATA, prompt);
    (void)el_set(prompt->edit, EL_GETCFN, read_character);
    (void)el_set(prompt->edit, EL_PROMPT, prompt_text);
    (void)el_set(prompt->edit, EL_EDITOR, "emacs");
    (void)el_set(prompt->edit, EL_HIST, history, prompt->history);
    (void)el_set(prompt->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    (void)el_source(prompt->edit, NULL);
    return 0;
}

int ct_prompt_open(const char *history, struct ct_prompt **out, struct lm_error *error)
{
    struct ct_prompt *prompt = calloc(1, sizeof *prompt);

    if (prompt == NULL)
        return lm_error_set(error, LM_FATAL, "memory", "out of memory");
    find_history(prompt, history);
    if (isatty(STDIN_FILENO) == 1 && open_editor(prompt) != 0) {
        ct_prompt_close(prompt);
        return lm_error_set(error, LM_FATAL, "memory", "out of memory for the line editor");
    }
    *out = prompt;
    return 0;
}

bool ct_prompt_is_typed(const struct ct_prompt *prompt)
{
    return prompt->edit != NULL;
}

static void remember(struct ct_prompt *prompt, const char *line)
{
    HistEvent event;

    (void)history(prompt->history, &event, H_ENTER, line);
    if (prompt->path[0] == '\0')
        return;
    const mode_t mask = umask(S_IRWXG | S_IRWXO);
    (void)history(prompt->history, &event, H_SAVE, prompt->path);
    (void)umask(mask);
}

/* Its being there makes the waiting end. */
static void on_interrupt(int number)
{
    (void)number;
}

/* SIGINT is held back but for when a key is waited for, so that none is lost in between. */
static const char *edit_line(struct ct_prompt *prompt, int *len)
{
    struct sigaction ours = {.sa_handler = on_interrupt}, before;
    sigset_t held;

    el_resize(prompt->edit);
    prompt->dropped = false;
    (void)sigemptyset(&held);
    (void)sigaddset(&held, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &held, &prompt->mask);
    (void)sigaction(SIGINT, &ours, &before);
    (void)el_set(prompt->edit, EL_PREP_TERM,
                 1); /* before the prompt is seen, or a Ctrl-D typed at once is lost */
    const char *line = el_gets(prompt->edit, len);
    (void)sigaction(SIGINT, &before, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &prompt->mask, NULL);
    return line;
}

/* Without blanks and ends of line around it. */
static char *strip(char *line, size_t len)
{
    static const char blank[] = " \t\r\n";

    while (len > 0 && strchr(blank, line[len - 1]) != NULL)
        len--;
    line[len] = '\0';
    return line + strspn(line, blank);
}

static enum ct_prompt_outcome read_typed(struct ct_prompt *prompt, const char **out)
{
    for (;;) {
        int len = 0;
        const char *line = edit_line(prompt, &len);
        if (prompt->dropped) {
            el_reset(prompt->edit);
            putchar('\n');
            return CT_PROMPT_DROPPED;
        }
        if (line == NULL || len <= 0) {
            putchar('\n');
            return CT_PROMPT_END;
        }
        free(prompt->line);
        prompt->line = strndup(line, (size_t)len);
        if (prompt->line == NULL)
            return CT_PROMPT_END;
        *out = strip(prompt->line, (size_t)len);
        if (**out != '\0') {
            remember(prompt, *out);
            return CT_PROMPT_LINE;
        }
    }
}

enum ct_prompt_outcome ct_prompt_read(struct ct_prompt *prompt, const char **line)
{
    ssize_t len;

    if (prompt->edit != NULL)
        return read_typed(prompt, line);
    while ((len = getline(&prompt->line, &prompt->size, stdin)) >= 0) {
        *line = strip(prompt->line, (size_t)len);
        if (**line != '\0')
            return CT_PROMPT_LINE;
    }
    return CT_PROMPT_END;
}

void ct_prompt_close(struct ct_prompt *prompt)
{
    if (prompt == NULL)
        return;
    if (prompt->edit != NULL)
        el_end(prompt->edit);
    if (prompt->history != NULL)
        history_end(prompt->history);
    free(prompt->line);
    free(prompt);
}
