/*
 * Names for tests, from a file of lines "kind<TAB>value"; '#' starts a comment. A kind of the catalogue, a
 * field that is not catalogued (user_id, page_path …: a value met in the sample) or metadata.KEY (so is
 * that).
 */
#ifndef LOGMILL_TEST_NAMES_FILE_H
#define LOGMILL_TEST_NAMES_FILE_H

#include "agent/catalogue/catalogue.h"

/* Sealed; NULL when the file cannot be read, a line is none, or without memory. */
struct ag_catalogue *names_file_read(const char *path);

#endif
