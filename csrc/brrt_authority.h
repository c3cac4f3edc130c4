/* `host [ ":" port ]` of Host fields and request targets (RFC 3986 3.2.2 and 3.2.3, no userinfo); private to csrc. */
#ifndef BRRT_AUTHORITY_H
#define BRRT_AUTHORITY_H

/* NULL when [p, end) is a host that is not empty, with a port from 0 to 65535, an empty one or, unless `need_port`,
 * none; with `need_port` it may not be empty either.  Otherwise the offending byte, `end` when something is missing.
 * [base, end) is readable and holds p, as for brrt_v_find. */
const char *brrt_authority_error(const char *base, const char *p, const char *end, int need_port);

#endif
