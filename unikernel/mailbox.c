/* One question at a time for each name; the registrar answers under the name, whatever the question was. */
#include "mailbox.h"

#include "connection.h"
#include "settings.h"
#include "store.h"

#define ANSWER_BYTES 40

static uint32_t answer_events;

uint32_t own_domid(void)
{
    static uint32_t domid;
    static bool known;
    char text[16];
    if (known || setting_number("domid", CONDUIT_DOMID_FIRST_RESERVED - 1, &domid))
        return domid;
    const long length = store_read("domid", text, sizeof text);
    if (length < 0 || !text_number(text, (size_t)length, CONDUIT_DOMID_FIRST_RESERVED - 1, &domid))
        guest_crash("domid");
    known = true;
    return domid;
}

static void on_answer(const char *path)
{
    (void)path;
    answer_events++;
}

/* Since the count that the argument points to. */
static bool answers_changed(void *seen)
{
    return *(const uint32_t *)seen != answer_events;
}

/* Below a wanted name lies the mark of whoever wants it: a guest is one. */
static void request_path(char *path, enum mailbox_request request, const char *name, bool mark)
{
    store_path(path, "%s/%s/%s%s", CONDUIT_RELATIVE_MAILBOX, request == MAILBOX_REGISTER ? "register" : "want",
           name, mark && request == MAILBOX_WANT ? "/guest" : "");
}

static void answer_path(char *path, const char *name)
{
    store_path(path, "%s/answer/%s", CONDUIT_RELATIVE_MAILBOX, name);
}

bool mailbox_ask(enum mailbox_request request, const char *name, uint64_t deadline_ns)
{
    char path[STORE_PATH_BYTES], answer[ANSWER_BYTES];
    static uint32_t watch;
    if (watch == 0)
        watch = store_watch(CONDUIT_RELATIVE_MAILBOX "/answer", on_answer);
    answer_path(path, name);
    /* An answer to an earlier question must not pass for the one to this. */
    store_post_remove(path);
    request_path(path, request, name, true);
    store_post_write(path, "");
    answer_path(path, name);
    for (;;) {
        uint32_t seen = answer_events;
        if (store_read(path, answer, sizeof answer) >= 0)
            break;
        if (!fiber_wait(answers_changed, &seen, deadline_ns))
            return false;
    }
    if (request == MAILBOX_REGISTER)
        store_post_remove(path);
    if (!text_equals(answer, "ok"))
        console_line("%s: %s", name, answer);
    return text_equals(answer, "ok");
}

void mailbox_withdraw(enum mailbox_request request, const char *name)
{
    char path[STORE_PATH_BYTES];
    request_path(path, request, name, false);
    store_post_remove(path);
    answer_path(path, name);
    store_post_remove(path);
}
