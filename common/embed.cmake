# embed(TARGET SYMBOL FILE…): the files, byte for byte and in this order, as the table SYMBOL of common/embedded.h in TARGET.
# A library of its own, for a target of another folder would not know how its file is made. The command names all files: one that is
# removed changes it, where a dependency that is gone would make nothing anew.
if(NOT CMAKE_SCRIPT_MODE_FILE)
    function(embed target symbol)
        set(out ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c)
        add_custom_command(OUTPUT ${out}
            COMMAND ${CMAKE_COMMAND} "-DFILES=${ARGN}" -DSYMBOL=${symbol} -DOUT=${out} -P ${CMAKE_CURRENT_FUNCTION_LIST_FILE}
            DEPENDS ${ARGN} ${CMAKE_CURRENT_FUNCTION_LIST_FILE}
            COMMENT "Embedding ${symbol}"
            VERBATIM)
        add_library(${symbol} OBJECT ${out})
        target_link_libraries(${symbol} PRIVATE logmill_flags)
        target_sources(${target} PRIVATE $<TARGET_OBJECTS:${symbol}>)
    endfunction()
    return()
endif()

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
file(WRITE ${OUT} "#include \"common/embedded.h\"\n\nextern const struct lm_embedded ${SYMBOL}[];\n\n${arrays}const struct lm_embedded ${SYMBOL}[] = {\n${table}    {NULL, NULL, 0},\n};\n")
