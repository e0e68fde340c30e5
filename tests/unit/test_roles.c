/* Unit tests of rules/roles: the whole table, written out a second time. */
#include "rules/roles.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define ROLE(name) BRUG__V1__ROLE__ROLE_##name
#define ROLES 8

/* One letter a role, in the order of their numbers from gp to system. */
static const struct {
    int kind;
    const char *roles; /* g l a c L o s */
} KINDS[] = {
    {1, "gl....."},  {2, "gl....."},  {3, "...c..."},  {4, "...c..."},  {5, "...cL.."},
    {6, "...c..."},  {7, "...c..."},  {8, "...c..."},  {9, "gl....."},  {10, "...c..."},
    {11, "...c..."}, {12, "gl.c..."}, {13, "gl.c..."}, {14, "gl.cL.."}, {15, "gl.c..."},
    {16, "gl.c..."}, {17, "gl.c..."}, {18, "...cL.."}, {19, "gl....."}, {20, "gl.cL.."},
    {21, "gl.cL.."}, {22, "...cL.."}, {23, "...cL.."},
};

static void test_who_may_send_what(void **state)
{
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++)
        for (int role = 1; role < ROLES; role++)
            if (roles_may_send((Brug__V1__Role)role, (Brug__V1__Kind)KINDS[i].kind) !=
                (KINDS[i].roles[role - 1] != '.'))
                fail_msg("kind %d, role %d", KINDS[i].kind, role);
}

static void test_nobody_sends_what_only_the_relay_makes(void **state)
{
    for (int role = -1; role <= ROLES + 40; role++) {
        for (int kind = 24; kind < 80; kind++)
            assert_false(roles_may_send((Brug__V1__Role)role, (Brug__V1__Kind)kind));
        assert_false(roles_may_send((Brug__V1__Role)role, BRUG__V1__KIND__KIND_NONE));
    }
}

static void test_unknown_roles_and_operations_are_denied(void **state)
{
    const int roles[] = {0, -1, 8, 32, 33, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        for (int op = 0; op < 20; op++)
            assert_int_equal(roles_may((Brug__V1__Role)roles[i], (enum operation)op), SCOPE_NONE);
        assert_false(roles_read((Brug__V1__Role)roles[i]));
        assert_false(roles_may_send((Brug__V1__Role)roles[i], BRUG__V1__KIND__KIND_NOTE));
    }
    assert_int_equal(roles_may(ROLE(GP), (enum operation)0), SCOPE_NONE);
    assert_int_equal(roles_may(ROLE(GP), (enum operation)99), SCOPE_NONE);
}

static void test_who_reads_letters(void **state)
{
    const char *reads = "gl.cL.s";
    for (int role = 1; role < ROLES; role++)
        assert_int_equal(roles_read((Brug__V1__Role)role), reads[role - 1] != '.');
}

static void test_operations(void **state)
{
    static const struct {
        enum operation op;
        const char *scopes; /* 0, 1 (own), 2 (team) */
    } rows[] = {
        {OPERATION_SUBSCRIBE, "1101101"},     {OPERATION_ACK, "1101101"},
        {OPERATION_OPENED, "1101101"},        {OPERATION_TRACK, "2202202"},
        {OPERATION_GET_DIRECTORY, "2222202"}, {OPERATION_PUT_COUNTERSIGNATURE, "2202202"},
        {OPERATION_PUT_BINDING, "1111101"},   {OPERATION_PUT_ABSENCE, "1111101"},
        {OPERATION_PUT_CARD, "0002200"},      {OPERATION_GET_CASE, "2202202"},
        {OPERATION_PUT_TAGS, "0002200"},      {OPERATION_GET_FIGURES, "1102211"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int role = 1; role < ROLES; role++)
            if ((int)roles_may((Brug__V1__Role)role, rows[i].op) != rows[i].scopes[role - 1] - '0')
                fail_msg("operation %d, role %d", (int)rows[i].op, role);
}

static void test_assistants_and_observers(void **state)
{
    for (int kind = 0; kind < 80; kind++) {
        assert_false(roles_may_send(ROLE(ASSISTANT), (Brug__V1__Kind)kind));
        assert_false(roles_may_send(ROLE(OBSERVER), (Brug__V1__Kind)kind));
        assert_false(roles_may_send(ROLE(SYSTEM), (Brug__V1__Kind)kind));
    }
    assert_int_equal(roles_may(ROLE(OBSERVER), OPERATION_GET_DIRECTORY), SCOPE_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_may_send_what),
        cmocka_unit_test(test_nobody_sends_what_only_the_relay_makes),
        cmocka_unit_test(test_unknown_roles_and_operations_are_denied),
        cmocka_unit_test(test_who_reads_letters),
        cmocka_unit_test(test_operations),
        cmocka_unit_test(test_assistants_and_observers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
