typedef int logmill_arena_stub;
