#include "tests/unit/common/loop_end.h"

#include <stdio.h>
#include <unistd.h>

#define PATIENCE_NS 10000000000ULL

static void print_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    fprintf(stderr, "left on the loop: %s%s\n", uv_handle_type_name(handle->type),
            uv_is_closing(handle) ? " (closing)" : "");
}

int loop_end(uv_loop_t *loop)
{
    uint64_t end = uv_hrtime() + PATIENCE_NS;
    while (uv_run(loop, UV_RUN_NOWAIT) != 0 && uv_hrtime() < end)
        usleep(1000);
    uv_walk(loop, print_handle, NULL);
    return uv_loop_close(loop);
}
