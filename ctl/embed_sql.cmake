# cmake -DFILES=PATH;... -DOUTPUT=FILE.c -P embed_sql.cmake
# Writes the migrations, byte for byte and in the order of their numbers, as the table that ctl/migrations.h declares.
list(SORT FILES COMPARE FILE_BASENAME)
set(arrays "")
set(table "")
set(i 0)
foreach(file ${FILES})
    get_filename_component(name ${file} NAME)
    file(READ ${file} hex HEX)
    # Character constants, for a byte above 127 does not fit a char; a line here is a line there.
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
    string(REPLACE "'\\x0a'," "'\\x0a',\n    " bytes "${bytes}")
    string(APPEND arrays "static const char text_${i}[] = {\n    ${bytes}'\\0'};\n\n")
    string(APPEND table "    {\"${name}\", text_${i}, sizeof text_${i} - 1},\n")
    math(EXPR i "${i} + 1")
endforeach()
file(WRITE ${OUTPUT} "#include \"ctl/migrations.h\"\n\n${arrays}const struct ct_embedded ct_embedded_migrations[] = {\n${table}    {NULL, NULL, 0},\n};\n")
