/*
 * daemon/ops/enrol.h: judging a client's request to be enrolled, and the answer that it gets back.
 *
 * The relay applies the same judgement (pki/binding.h) that every client will apply to the entry, so that
 * an operator hears at once what clients would refuse. Pure but for the anchors' file.
 */
#ifndef DAEMON_OPS_ENROL_H
#define DAEMON_OPS_ENROL_H

#include "brug/v1/admin.pb-c.h"
#include "daemon/core/relay.h"
#include "pki/trust.h"
#include "proto/arena.h"

/*
 * Fills *row from the command; what it points to lives in the arena or in `add`. On failure *what is one
 * line for the operator. ERROR_REQUEST_MALFORMED, ERROR_NO_SUCH_OBJECT, or what binding_judge says.
 */
enum error enrol_judge(const Brug__V1__AddEndpoint *add, const struct relay *relay,
                       struct trust *trust, int64_t now_ms, struct arena *arena,
                       Brug__V1__EndpointRow *row, const char **what) MUST_CHECK;

struct enrol_surroundings {
    const char *relay_host;
    uint32_t relay_port;
    const char *relay_anchors_path;
    const struct slice *crls;
    size_t crl_count;
};

/* The serialised EnrolAnswer for an endpoint that was added. */
enum error enrol_answer(const Brug__V1__EndpointRow *row, const struct relay *relay,
                        const struct enrol_surroundings *with, struct buf *out, const char **what)
    MUST_CHECK;

#endif
