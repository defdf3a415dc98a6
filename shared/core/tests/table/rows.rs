//! The rows. `-` is absent, `?` could not be read.

pub(crate) const ROWS: &str = "
# kind | declared | recorded | live | with | verdict | causes | verb | risk | may (none safe disruptive person granted typed)

# --- a field of three truths
topic | ret=1 | ret=1 | ret=1 | | in-sync | - | - | - | ......
topic | ret=1 | ret=2 | ret=1 | | in-sync | - | - | - | ......
topic | ret=5 | ret=5 | ret=1 | | drifted | drifted | update | safe | .sdpgt
topic | ret=5 | ret=5 | ret=9 | | drifted | drifted | update | destructive | ....gt
topic | max=5 | max=5 | max=9 | | drifted | drifted | update | disruptive | ..dpgt
topic | ret=5 | ret=1 | ret=1 | | pending | edited | update | safe | .sdpgt
topic | ret=1 | ret=5 | ret=5 | | pending | edited | update | destructive | ....gt
topic | max=1 | max=5 | max=5 | | pending | edited | update | disruptive | ..dpgt
topic | ret=5 | ret=2 | ret=1 | | drifted-and-pending | edited-and-drifted | update | safe | .sdpgt
topic | max=5 | max=2 | max=9 | | drifted-and-pending | edited-and-drifted | update | disruptive | ..dpgt
topic | ret=5, max=9 | ret=5, max=1 | ret=1, max=1 | | drifted-and-pending | drifted edited | update | safe | .sdpgt
topic | ret=5, max=5 | ret=5, max=5 | ret=9, max=9 | | drifted | drifted | update | destructive | ..~~gt
topic | ret=5 | () | ret=1 | | pending | edited | update | safe | .sdpgt
topic | ret=5 | () | ret=5 | | in-sync | - | - | - | ......
topic | () | ret=5 | ret=1 | | in-sync | - | - | - | ......
topic | ret=5 | ret=5 | () | | drifted | drifted | update | destructive | ....gt
topic | ret=5 | ret=5 | ret=5, max=7 | | in-sync | - | - | - | ......
topic | ret=-1 | ret=-1 | ret=5 | | drifted | drifted | update | safe | .sdpgt
topic | ret=5 | ret=5 | ret=-1 | | drifted | drifted | update | destructive | ....gt

# --- what a provider can't
topic | part=2 | part=2 | part=3 | | drifted | drifted | impossible | - | ......
topic | part=1 | part=3 | part=3 | | pending | edited | impossible | - | ......
topic | part=1, ret=5 | part=1, ret=5 | part=3, ret=1 | | drifted | drifted | update impossible | safe | .sdpgt
topic | part=3 | part=1 | part=1 | | pending | edited | update | disruptive | ..dpgt
topic | part=3 | part=1 | part=1, cleanup_policy=compact | | pending | edited | update | destructive | ....gt
topic | cleanup_policy=delete | cleanup_policy=delete | cleanup_policy=compact | | drifted | drifted | update | destructive | ....gt
topic | replication=3 | replication=2 | replication=2 | | pending | edited | update | disruptive | ..dpgt

# --- presence
topic | ret=1 | - | - | | pending | new | create | safe | .sdpgt
topic | ret=1 | - | - | no-state | pending | new | create | safe | .sdpgt
topic | ret=1 | - | - | scope-unread | pending | new | create | safe | ...pgt
topic | ret=1 | ret=1 | - | | drifted | missing | create | safe | ...pgt
topic | ret=1 | ret=1 | - | recreate | drifted | missing | create | safe | .sdpgt
topic | ret=1 | ret=1 | - | recreate scope-unread | drifted | missing | create | safe | ...pgt
topic | ret=2 | ret=1 | - | | drifted | missing | create | safe | ...pgt
dlq | ret=1 | ret=1 | - | | drifted | missing | create | safe | .sdpgt
ptopic | () | () | - | | drifted | missing | create | safe | ...pgt
sub | topic=dev-t | topic=dev-t | - | | drifted | missing | create | safe | ...pgt
iam | members={a} | members={a} | - | | drifted | missing | create | safe | .sdpgt
dns | ips={1} | ips={1} | - | | drifted | missing | create | safe | .sdpgt
dns | ips={1} | ips={1} | - | other-family | drifted | missing | create | disruptive | ..dpgt
dns | ips={1} | ips={1} | - | other-family protected | drifted | missing | create | disruptive | ...pgt
dns | ips={1} | - | - | other-family | pending | new | create | safe | .sdpgt
topic | - | ret=1 | ret=1 | | orphan | withdrawn | orphan | - | ......
topic | - | ret=1 | ret=1 | prune | orphan | withdrawn | delete | destructive | ....gt
topic | - | ret=1 | ret=9 | prune | orphan | withdrawn | delete | destructive | ....gt
ptopic | - | () | () | prune | orphan | withdrawn | delete | destructive | ....gt
sub | - | topic=t | topic=t | prune | orphan | withdrawn | delete | destructive | ....gt
iam | - | members={a} | members={a b} | prune | orphan | withdrawn | delete | destructive | ....gt
dns | - | ips={1} | ips={1} | prune | orphan | withdrawn | delete | destructive | ....gt
dns | - | ips={1} | ips={1} | prune mark-of-prod | orphan | withdrawn | blocked | - | ......
dns | - | ips={1} | ips={1} | prune comment | orphan | withdrawn | delete | destructive | ....gt
dns | - | ips={1} | ips={1 9} | prune | orphan | withdrawn | delete | destructive | ....gt
dns | - | ips={1} | ips={9} | prune | gone | - | - | - | ......
iam | - | members={a} | members={x} | prune | gone | - | - | - | ......
topic | - | ret=1 | - | | gone | - | - | - | ......
topic | - | - | ret=1 | | gone | - | - | - | ......

# --- never recorded
topic | ret=1 | - | ret=1 | | in-sync | - | - | - | ......
topic | ret=5 | - | ret=1 | | not-adopted | not-adopted | update | safe | ...pgt
topic | ret=1 | - | ret=5 | | not-adopted | not-adopted | update | destructive | ....gt
topic | ret=1 | - | ret=1 | no-state | not-adopted | - | - | - | ......
topic | ret=5 | - | ret=1 | no-state | not-adopted | not-adopted | update | safe | ...pgt
topic | ret=5 | ret=1 | ret=1 | adopted-unequal | pending | not-adopted | update | safe | ...pgt
topic | ret=5 | ret=1 | ret=2 | adopted-unequal | drifted-and-pending | not-adopted-and-drifted | update | safe | ...pgt
dns | ips={1 2} | - | ips={1} | | not-adopted | not-adopted | update | safe | ...pgt
dns | ips={1} | - | ips={1 2} | exclusive | not-adopted | not-adopted | update | destructive | ....gt
dns | ips={1} | - | ips={1} | mark-of-prod | not-adopted | - | blocked | - | ......
dns | ips={1} | - | ips={1} | mark-of-dev | in-sync | - | - | - | ......
dns | ips={1} | - | ips={1} | comment | in-sync | - | - | - | ......

# --- not known
topic | ret=1 | - | ? | | unknown | - | - | - | ......
topic | ret=1 | ret=1 | ? | | unknown | - | - | - | ......
topic | ret=5 | ret=1 | ? | | unknown | - | - | - | ......
topic | - | ret=1 | ? | prune | unknown | - | - | - | ......
topic | ret=1 | - | ? | no-state | unknown | - | - | - | ......
topic | ret=1 | ret=1 | ? | ignored | unknown | - | - | - | ......
topic | ret=1 | ret=1 | ? | recreate settling | unknown | - | - | - | ......
dns | ips={1} | ips={1} | ? | | unknown | - | - | - | ......

# --- our own write a moment ago
topic | ret=5 | ret=5 | ret=1 | settling | settling | - | - | - | ......
topic | ret=5 | ret=5 | ret=1 | settling-far-ahead | drifted | drifted | update | safe | .sdpgt
topic | ret=5 | ret=5 | ret=5 | settling | in-sync | - | - | - | ......
topic | ret=5 | ret=5 | ret=1 | not-taken | drifted | drifted | update | safe | .sdpgt
topic | ret=5 | ret=5 | ret=1 | not-taken-twice | drifted | drifted | did-not-take | - | ......
topic | ret=5 | ret=5 | ret=1 | long-ago | drifted | drifted | update | safe | .sdpgt
topic | ret=9 | ret=5 | ret=1 | settling | pending | edited | update | safe | .sdpgt
topic | ret=9 | ret=5 | ret=1 | settling correct-none | pending | edited | update | safe | .sdpgt
topic | ret=9 | ret=5 | ret=1 | settling deploy-none | pending | edited | update | safe | ...pgt
topic | ret=9 | ret=5 | ret=1 | not-taken | pending | edited | update | safe | .sdpgt
topic | ret=9 | ret=5 | ret=1 | long-ago | drifted-and-pending | edited-and-drifted | update | safe | .sdpgt
topic | ret=5 | ret=5 | () | settling updated unset:retention_ms | settling | - | - | - | ......
topic | ret=5 | ret=5 | () | settling updated | drifted | drifted | update | destructive | ....gt
topic | ret=5 | ret=5 | ret=1 | settling updated unset:retention_ms | settling | - | - | - | ......
topic | ret=9 | ret=5 | () | settling updated unset:retention_ms | pending | edited | update | destructive | ....gt
topic | ret=5 | ret=5 | () | not-taken-twice updated unset:retention_ms | drifted | drifted | did-not-take | - | ......
dns | ips={1 2} | ips={1 2} | ips={1} | settling | settling | - | - | - | ......
dns | ips={1} | ips={1} | ips={1 2} | settling exclusive | settling | - | - | - | ......
dns | ips={1 2 3} | ips={1 2} | ips={1} | settling | pending | edited | update | safe | .sdpgt
dns | ips={1 2} | ips={1 2} | ips={1} | not-taken-twice | drifted | drifted | did-not-take | - | ......
iam | members={a} | members={a} | members={a b} | settling authoritative | settling | - | - | - | ......
topic | ret=1 | ret=1 | - | settling-far-ahead recreate | drifted | missing | create | safe | .sdpgt
topic | ret=1 | ret=1 | ? | coming | unknown | - | - | - | ......
topic | ret=1 | ret=1 | ? | coming settling | settling | - | - | - | ......
topic | ret=1 | ret=1 | ? | leaving settling | settling | - | - | - | ......
topic | ret=1 | ret=1 | ? | leaving settling updated | unknown | - | - | - | ......
topic | ret=1 | ret=1 | ? | coming settling updated | settling | - | - | - | ......
topic | ret=1 | ret=1 | - | settling | settling | - | - | - | ......
topic | - | ret=1 | - | settling | settling | - | - | - | ......
dns | - | ips={1} | ips={9} | settling prune | settling | - | - | - | ......
topic | ret=1 | ret=1 | - | not-taken recreate | drifted | missing | create | safe | .sdpgt
topic | ret=1 | ret=1 | - | not-taken-twice recreate | drifted | missing | blocked | - | ......
topic | ret=1 | ret=1 | - | long-ago recreate | drifted | missing | create | safe | .sdpgt

# --- a change begun by a run that did not say how it ended
topic | ret=1 | - | ret=1 | begun-create | in-sync | - | - | - | ......
topic | ret=5 | - | ret=1 | begun-create | drifted | drifted | update | safe | .sdpgt
topic | ret=1 | - | - | begun-create | pending | new | create | safe | .sdpgt
topic | ret=1 | - | - | begun-create shown-later | pending | new | create | safe | .sdpgt
topic | - | - | ret=1 | begun-create to:ret=1 | orphan | withdrawn | orphan | - | ......
topic | - | - | ret=1 | begun-create to:ret=1 prune | orphan | withdrawn | delete | destructive | ....gt
topic | - | - | ? | begun-create to:ret=1 | unknown | - | - | - | ......
topic | - | - | - | begun-create to:ret=1 shown-later | settling | - | - | - | ......
topic | - | - | - | begun-create to:ret=1 | gone | - | - | - | ......
iam | - | - | members={x} | begun-create to:members={a} | gone | - | - | - | ......
iam | - | - | members={a} | begun-create to:members={a} | orphan | withdrawn | orphan | - | ......
dns | ips={1} | - | ips={9} | begun-create | not-adopted | not-adopted | update not-exclusive | safe | ...pgt
dns | ips={1} | - | ips={1 9} | begun-create | drifted | drifted | not-exclusive | - | ......
topic | - | - | ret=5 | begun-update to:ret=5 | orphan | withdrawn | orphan | - | ......
topic | - | - | ret=1 | begun-update to:ret=5 | gone | - | - | - | ......
topic | ret=1 | ret=1 | - | begun-delete recreate | pending | new | create | safe | .sdpgt
topic | ret=1 | ret=1 | ret=1 | begun-delete shown-later | settling | - | - | - | ......
topic | ret=1 | ret=1 | ret=1 | begun-delete | in-sync | - | - | - | ......
topic | - | ret=1 | - | begun-delete | gone | - | - | - | ......
topic | ret=5 | ret=1 | ret=5 | begun-update | in-sync | - | - | - | ......
topic | ret=5 | ret=1 | ret=1 | begun-update | pending | edited | update | safe | .sdpgt
topic | - | ret=1 | ret=1 | begun-delete prune | orphan | withdrawn | delete | destructive | ....gt
dns | ips={1} | ips={1 2} | ips={1 2} | begun-update | pending | edited | update | disruptive | ..dpgt
dns | ips={1} | ips={1 2} | ips={1} | begun-update | in-sync | - | - | - | ......
dns | ips={1} | ips={1 2} | ips={1 2 8} | begun-update | drifted-and-pending | edited-and-drifted | update not-exclusive | disruptive | ..dpgt
dns | ips={1} | ips={1 2} | ips={2} | begun-update | drifted-and-pending | edited-and-drifted | update | disruptive | ..dpgt
dns | ips={1 2} | ips={1} | ips={1} | begun-update | pending | edited | update | safe | .sdpgt
dns | ips={1 2} | ips={1} | ips={1 2} | begun-update | in-sync | - | - | - | ......
dns | ips={1 2} | ips={1} | ips={2} | begun-update | drifted | drifted | update | disruptive | ..dpgt
dns | ips={1 3} | ips={1 2} | ips={1 2} | begun-update | pending | edited | update | disruptive | ..dpgt
dns | ips={1 3} | ips={1 2} | ips={1 3} | begun-update | in-sync | - | - | - | ......
dns | ips={1 3} | ips={1 2} | ips={1 2 3} | begun-update | pending | edited | update | disruptive | ..dpgt
dns | ips={1 3} | ips={1 2} | ips={1} | begun-update | pending | edited | update | safe | .sdpgt
iam | members={a} | members={a b} | members={a b} | begun-update | pending | edited | update | destructive | ....gt
iam | members={a} | members={a b} | members={a b} | begun-update authoritative | pending | edited | update | destructive | ....gt
iam | members={a} | members={a b} | members={a} | begun-update | in-sync | - | - | - | ......
iam | members={a} | members={a b} | members={a x} | begun-update | in-sync | - | - | - | ......
iam | members={a b} | members={a} | members={a} | begun-update | pending | edited | update | safe | .sdpgt
iam | members={a c} | members={a b} | members={a b} | begun-update | pending | edited | update | destructive | .~~~gt
iam | members={a c} | members={a b} | members={a b c} | begun-update | pending | edited | update | destructive | ....gt
iam | members={a c} | members={a b} | members={a} | begun-update | pending | edited | update | safe | .sdpgt
sub | filter=a | filter=b | - | begun-replace | drifted | interrupted | create | safe | nsdpgt
sub | filter=a | filter=b | - | begun-replace scope-unread | drifted | interrupted | create | safe | ...pgt
sub | filter=a | filter=b | - | begun-replace begun-before-an-hour | drifted | missing | create | safe | ...pgt
sub | filter=a | filter=b | - | begun-replace begun-in-two-hours | drifted | missing | create | safe | ...pgt
sub | filter=a | filter=b | - | begun-replace begun-otherwise | drifted | missing | create | safe | ...pgt
sub | filter=a | filter=b | filter=a | begun-replace | in-sync | - | - | - | ......
sub | filter=a | filter=b | filter=b | begun-replace | pending | edited | replace | destructive | ....gt
sub | filter=a | filter=b | ? | begun-replace | unknown | - | - | - | ......

# --- rules that overlook
topic | ret=5 | ret=5 | ret=1 | ignored | ignored | - | - | - | ......
topic | ret=5 | ret=1 | ret=1 | ignored | ignored | - | - | - | ......
topic | ret=5 | ret=5 | - | ignored recreate | ignored | - | - | - | ......
topic | - | ret=5 | ret=5 | ignored prune | ignored | - | - | - | ......
topic | ret=5 | ret=5 | ret=5 | ignored | in-sync | - | - | - | ......
topic | ret=5 | ret=5 | ret=1 | ignored-retention | ignored | - | - | - | ......
topic | ret=5, max=9 | ret=5, max=9 | ret=1, max=1 | ignored-retention | drifted | drifted | update | safe | .sdpgt
topic | ret=5 | ret=5 | - | ignored-retention recreate | drifted | missing | create | safe | .sdpgt
topic | ret=5 | ret=5 | ret=1 | expired | drifted | drifted | update | safe | ...pgt

# --- sets: addresses
dns | ips={1 2} | ips={1 2} | ips={1} | | drifted | drifted | update | disruptive | ..dpgt
dns | ips={1 2} | ips={1 2} | ips={1} | comment | drifted | drifted | update | disruptive | ..dpgt
dns | ips={1 2} | ips={1 2} | ips={1} | protected | drifted | drifted | update | disruptive | ...pgt
dns | ips={1 2 3} | ips={1 2} | ips={1} | | drifted-and-pending | edited-and-drifted | update | disruptive | .~dpgt
dns | ips={1} | ips={1} | ips={1 2} | | drifted | drifted | not-exclusive | - | ......
dns | ips={1} | ips={1} | ips={1 2} | exclusive | drifted | drifted | update | destructive | ....gt
dns | ips={1 3} | ips={1} | ips={1} | | pending | edited | update | safe | .sdpgt
dns | ips={1} | ips={1 2} | ips={1 2} | | pending | edited | update | disruptive | ..dpgt
dns | ips={1} | ips={1 2} | ips={1 2} | exclusive | pending | edited | update | disruptive | ..dpgt
dns | ips={1 3} | ips={1 2} | ips={1 2} | | pending | edited | update | disruptive | ..dpgt
dns | ips={1} | ips={1 2} | ips={1} | | in-sync | - | - | - | ......
dns | ips={1 2} | ips={1 2} | ips={1 3} | | drifted | drifted | update not-exclusive | disruptive | ..dpgt
dns | ips={1 2} | ips={1 2} | ips={1 3} | exclusive | drifted | drifted | update | destructive | ..~~gt
dns | ips={1} | ips={1 2} | ips={1 2 3} | | drifted-and-pending | edited-and-drifted | update not-exclusive | disruptive | ..dpgt
dns | ips={1} | ips={1 2} | ips={1 2 3} | exclusive | drifted-and-pending | edited-and-drifted | update | destructive | ..~~gt
dns | ips={1} | ips={1} | ips={1} | mark-of-prod | in-sync | - | blocked | - | ......
dns | ips={1 2} | ips={1 2 3} | ips={2 3} | | drifted-and-pending | edited-and-drifted | update | disruptive | ..dpgt
dns | ips={1 2} | ips={1 2 3} | ips={2 3} | correct-none | drifted-and-pending | edited-and-drifted | update | disruptive | ...pgt
dns | ips={1 2} | ips={1 2 3} | ips={2 3} | deploy-none | drifted-and-pending | edited-and-drifted | update | disruptive | ...pgt
dns | ips={1 2} | ips={1 2 3} | ips={1 2 3} | correct-none | pending | edited | update | disruptive | ..dpgt
dns | ips={1 2} | ips={1 2} | ips={1} | deploy-none | drifted | drifted | update | disruptive | ..dpgt

# --- ttl and proxied
dns | ttl=300 | ttl=300 | ttl=60 | | drifted | drifted | update | safe | .sdpgt
dns | ttl=300, proxied=true | ttl=300, proxied=true | ttl=1, proxied=true | | in-sync | - | - | - | ......
dns | ttl=1 | ttl=300 | ttl=300 | | pending | edited | update | safe | .sdpgt
dns | ttl=300 | ttl=300 | ttl=1 | | drifted | drifted | update | safe | .sdpgt
dns | ttl=300, proxied=false | ttl=300, proxied=true | ttl=1, proxied=true | | pending | edited | update | disruptive | ..dpgt
dns | ttl=1, proxied=true | ttl=300, proxied=false | ttl=300, proxied=false | | pending | edited | update | disruptive | ..dpgt
dns | ttl=300, proxied=false | ttl=300, proxied=false | ttl=1, proxied=true | | drifted | drifted | update | disruptive | ..dpgt
dns | ttl=300, proxied=true | ttl=300, proxied=true | ttl=300, proxied=false | | drifted | drifted | update | disruptive | ..dpgt
dns | ttl=300 | ttl=300 | ttl=(a:300 b:60) | | drifted | drifted | update | safe | .sdpgt
dns | proxied=false | proxied=false | proxied=(a:true b:false) | | drifted | drifted | update | disruptive | ..dpgt

# --- sets: members
iam | members={a b} | members={a b} | members={a} | | drifted | drifted | update | safe | .sdpgt
iam | members={a} | members={a} | members={a x} | | in-sync | - | - | - | ......
iam | members={a} | members={a} | members={a x} | authoritative | drifted | drifted | update | destructive | ....gt
iam | members={a b} | members={a} | members={a} | | pending | edited | update | safe | .sdpgt
iam | members={a} | members={a b} | members={a b} | | pending | edited | update | destructive | ....gt
iam | members={a c} | members={a b} | members={a b} | | pending | edited | update | destructive | .~~~gt
iam | members={a b c} | members={a b} | members={a} | correct-none | drifted-and-pending | edited-and-drifted | update | safe | ...pgt
iam | members={a} | - | members={x} | | not-adopted | not-adopted | update | safe | ...pgt

# --- members under a condition
iam | members={a} | members={a} | members={} | narrowed | drifted | drifted | condition | - | ......
iam | members={a b} | members={a b} | members={b} | narrowed | drifted | drifted | condition | - | ......
iam | members={a b} | members={a b} | members={} | narrowed | drifted | drifted | update condition | safe | .sdpgt
iam | members={a} | - | members={} | narrowed | not-adopted | not-adopted | condition | - | ......
iam | members={a} | - | members={} | narrowed no-state | not-adopted | not-adopted | condition | - | ......
iam | members={a} | members={a} | members={} | narrowed settling | drifted | drifted | condition | - | ......
iam | members={a} | members={a} | members={} | narrowed not-taken-twice | drifted | drifted | condition | - | ......
iam | members={a} | members={a} | members={a} | narrowed | in-sync | - | - | - | ......
iam | members={a} | members={a} | members={a} | stranger-narrowed | in-sync | - | - | - | ......
iam | members={a} | members={a} | members={a} | stranger-narrowed authoritative | drifted | drifted | condition | - | ......
iam | members={a} | members={a} | members={a x} | stranger-narrowed authoritative | drifted | drifted | update | destructive | ....gt
iam | members={b} | members={a b} | members={b} | narrowed | pending | edited | condition | - | ......
iam | - | members={a} | members={} | narrowed prune | orphan | withdrawn | blocked | - | ......
iam | - | members={a b} | members={b} | narrowed prune | orphan | withdrawn | delete | destructive | ....gt
iam | - | members={a} | members={} | stranger-narrowed prune | gone | - | - | - | ......

# --- subscriptions
sub | filter=a | filter=a | filter=b | | drifted | drifted | replace | destructive | ....gt
sub | filter=b | filter=a | filter=a | | pending | edited | replace | destructive | ....gt
sub | topic=dev-t | topic=dev-t | topic=_deleted-topic_ | topic-deleted | drifted | drifted | replace | destructive | ....gt
sub | topic=dev-t | topic=dev-t | topic=_deleted-topic_ | topic-deleted scope-unread | drifted | drifted | replace | destructive | ....gt
sub | topic=dev-t | topic=dev-t | topic=_detached_ | detached | drifted | drifted | replace | destructive | ....gt
sub | topic=dev-t, ack_deadline_seconds=10 | topic=dev-t, ack_deadline_seconds=10 | topic=_detached_, ack_deadline_seconds=20 | detached | drifted | drifted | replace | destructive | ....gt
sub | topic=dev-t | topic=dev-t | topic=dev-t | ill | drifted | - | unhealthy | - | ......
sub | topic=dev-t | topic=dev-s | topic=dev-t | ill | drifted | - | unhealthy | - | ......
sub | topic=dev-t | - | topic=dev-t | ill | drifted | - | unhealthy | - | ......
sub | topic=dev-t | - | topic=dev-t | ill no-state | not-adopted | - | unhealthy | - | ......
sub | topic=dev-t | topic=dev-t | topic=dev-t | ill ignored | ignored | - | - | - | ......
sub | topic=dev-t | topic=dev-t | topic=dev-t | ill settling | drifted | - | unhealthy | - | ......
sub | expiration=never | expiration=86400s | expiration=86400s | ill | drifted-and-pending | edited | update unhealthy | safe | .sdpgt
sub | - | topic=dev-t | topic=dev-t | ill | orphan | withdrawn | orphan | - | ......
sub | ack_deadline_seconds=10 | ack_deadline_seconds=10 | ack_deadline_seconds=20 | | drifted | drifted | update | disruptive | ..dpgt
sub | expiration=never | expiration=never | expiration=86400s | | drifted | drifted | update | safe | .sdpgt
sub | expiration=86400s | expiration=86400s | expiration=never | | drifted | drifted | update | destructive | ....gt
sub | filter=a, ack_deadline_seconds=10 | filter=b, ack_deadline_seconds=20 | filter=b, ack_deadline_seconds=20 | | pending | edited | replace | destructive | ..~~gt

# --- protected: a tick no further than safe corrections, a person with the name typed
topic | ret=5 | ret=5 | ret=1 | protected | drifted | drifted | update | safe | .sdpgt
topic | max=5 | max=5 | max=9 | protected | drifted | drifted | update | disruptive | ...pgt
topic | ret=5 | ret=1 | ret=1 | protected | pending | edited | update | safe | ...pgt
topic | ret=1 | ret=5 | ret=5 | protected | pending | edited | update | destructive | .....t
topic | ret=1 | - | - | protected | pending | new | create | safe | ...pgt
topic | ret=1 | ret=1 | - | protected recreate | drifted | missing | create | safe | .sdpgt
topic | - | ret=1 | ret=1 | protected prune | orphan | withdrawn | delete | destructive | .....t
sub | filter=a | filter=b | - | protected begun-replace | drifted | interrupted | create | safe | nsdpgt

# --- held by a person
topic | ret=5 | ret=5 | ret=1 | held | drifted | drifted | held | - | ......
topic | ret=5 | ret=5 | ret=1 | stack-held | drifted | drifted | held | - | ......
topic | ret=5 | ret=5 | ret=1 | other-held | drifted | drifted | update | safe | .sdpgt
topic | ret=5 | ret=5 | ret=5 | held | in-sync | - | - | - | ......
topic | ret=1 | - | - | held | pending | new | held | - | ......
topic | ret=1 | ret=1 | - | held recreate | drifted | missing | held | - | ......
topic | ret=1 | ret=1 | - | held begun-replace | drifted | interrupted | held | - | ......
topic | - | ret=1 | ret=1 | held prune | orphan | withdrawn | held | - | ......
topic | part=2 | part=2 | part=3 | held | drifted | drifted | impossible | - | ......

# --- from adoption
topic | ret=5 | ret=5 | ret=1 | adopted-unequal | drifted | drifted | update | safe | ...pgt
dns | ips={1 2} | ips={1 9} | ips={1 9} | adopted-unequal | pending | not-adopted | update not-exclusive | safe | ...pgt
dns | ips={1 2} | ips={1 9} | ips={1 9} | adopted-unequal exclusive | pending | not-adopted | update | destructive | ...~gt
dns | ips={1} | ips={1 9} | ips={1 9} | adopted-unequal | pending | not-adopted | not-exclusive | - | ......
dns | ips={1} | ips={1 9} | ips={1 8 9} | adopted-unequal | drifted-and-pending | not-adopted-and-drifted | not-exclusive | - | ......
dns | ips={1 2} | ips={1 9} | ips={9} | adopted-unequal | drifted-and-pending | not-adopted-and-drifted | update not-exclusive | disruptive | ...pgt
dns | ips={1 2} | ips={1} | ips={9} | adopted-unequal | drifted-and-pending | not-adopted-and-drifted | update not-exclusive | disruptive | ...pgt
dns | ips={1 2} | ips={1} | ips={2} | adopted-unequal | drifted | drifted | update | disruptive | ...pgt
dns | ips={1 2 3} | ips={1 9} | ips={1 9} | then:1,2 | pending | not-adopted | update not-exclusive | safe | .sdpgt
dns | ips={1 2 3} | ips={1 9} | ips={9} | then:1,2 | drifted-and-pending | not-adopted-and-drifted | update not-exclusive | disruptive | .~dpgt
dns | ips={2} | ips={1 9} | ips={1 9} | then:1,2 | pending | not-adopted | update not-exclusive | disruptive | ..dpgt
dns | - | ips={1 9} | ips={1 9} | prune then:1,2 | orphan | withdrawn | delete | destructive | ....gt
dns | - | ips={9} | ips={9} | prune then:1,2 | gone | - | - | - | ......
iam | members={a b} | members={a x} | members={a x} | adopted-unequal | pending | not-adopted | update | safe | ...pgt
iam | members={a b} | members={a x} | members={x} | adopted-unequal | drifted-and-pending | not-adopted-and-drifted | update | safe | ...pgt
iam | - | members={a x} | members={a x} | prune then:a,b | orphan | withdrawn | delete | destructive | ....gt
iam | - | members={x} | members={x} | prune then:a | gone | - | - | - | ......
iam | members={a b} | members={a x} | members={a x} | adopted-unequal authoritative | pending | not-adopted | update | destructive | ...~gt
topic | ret=1 | - | - | awaiting | pending | not-adopted | create | safe | ...pgt
topic | ret=1 | - | - | awaited-otherwise | pending | new | create | safe | .sdpgt
topic | ret=1 | - | ret=1 | awaiting | in-sync | - | - | - | ......
topic | ret=1 | - | ? | awaiting | unknown | - | - | - | ......

# --- retired
topic | ret=1 | - | - | retired | pending | new | create | safe | ...pgt
topic | ret=1 | ret=1 | - | retired recreate | drifted | missing | create | safe | ...pgt
sub | filter=a | filter=b | - | retired begun-replace | drifted | interrupted | create | safe | ...pgt
";

/// What a deletion or a replacement says that is lost.
pub(crate) const LOST: &str = "
dns | - | ips={1 2} | ips={1 2} | prune | => the name no longer resolves to 1, 2
dns | - | ips={1 2} | ips={2 9} | prune | => the name no longer resolves to 2; it still does to 9, which was never ours
dns | - | ips={1 9} | ips={1 9} | prune then:1,2 | => the name no longer resolves to 1; it still does to 9, which was never ours
iam | - | members={a b} | members={a b x} | prune | => a, b lose the role
iam | - | members={a b} | members={b} | narrowed prune | => b loses the role; a keeps it under the condition 'until may'
iam | - | members={a x} | members={a x} | prune then:a,b | => a loses the role
ptopic | - | () | () | prune | => its subscriptions and its policy are lost
ptopic | - | () | () | prune listener | => its subscriptions and its policy are lost; left behind, dev-l of this stack would never get a message again
sub | - | filter=a | filter=a | prune | => its backlog and its own IAM policy are lost
sub | filter=b | filter=a | filter=a, ack_deadline_seconds=10, retain_acked_messages=false, expiration=2678400s | | => the subscription must be deleted and created again; its backlog and its own IAM policy are lost
sub | filter=b | filter=a | filter=a, ack_deadline_seconds=77, dead_letter_topic=dead, labels.x=y | | => the subscription must be deleted and created again; its backlog and its own IAM policy are lost, and what is not declared: ack_deadline_seconds 77, dead_letter_topic dead, labels.x y
";

/// What adopting comes to: a word or why not | what is recorded | what waits, as declared | `begins`
/// where the rest of what is declared waits too.
pub(crate) const ADOPTED: &str = "
topic | ret=5 | - | ret=5 | no-state | => adopted | retention_ms=5 |  | begins
topic | ret=5 | - | ret=1 | no-state | => pending | retention_ms=1 | retention_ms=5 | begins
topic | ret=5, max=7 | - | ret=1, max=7 | no-state | => pending | max_message_bytes=7, retention_ms=1 | retention_ms=5 | begins
topic | ret=5 | - | () | no-state | => pending |  | retention_ms=5 | begins
topic | ret=5 | - | ret=1 | no-state ignored | => pending | retention_ms=1 | retention_ms=5 | begins
topic | ret=5 | - | - | no-state | => it is not there; a person's `kedge up` creates it
topic | ret=5 | - | ? | no-state | => it could not be read: 403
topic | ret=5 | - | ret=1 | | => pending | retention_ms=1 | retention_ms=5
topic | ret=5 | ret=5 | ret=1 | | => nothing
topic | ret=5 | ret=5 | ret=1 | named | => it is adopted already
topic | - | ret=5 | ret=1 | | => nothing
topic | - | - | ret=1 | | => nothing
dns | ips={1 2} | - | ips={1 9} | no-state | => pending | addresses={1, 9} | addresses={1, 2} | begins
dns | ips={1} | - | ips={1} | no-state mark-of-prod | => record 1.1.1.1 bears the mark of stack `prod`
iam | members={a} | - | members={a x} | no-state | => adopted | members={a} |  | begins
iam | members={a b} | - | members={a x} | no-state | => pending | members={a, x} | members={a, b} | begins
";

/// What forgetting comes to.
pub(crate) const FORGOTTEN: &str = "
topic | - | ret=1 | ret=1 | | => unmanaged
topic | - | ret=1 | ret=9 | | => unmanaged
topic | - | ret=1 | - | | => gone
topic | ret=1 | ret=1 | ret=1 | | => recorded-again
topic | ret=1 | ret=1 | ret=9 | | => not-adopted
topic | ret=1 | ret=1 | ret=9 | ignored | => not-adopted
topic | ret=1 | ret=1 | - | | => new
topic | ret=1 | ret=1 | ? | | => unread
topic | ret=1 | - | ret=1 | begun-create | => recorded-again
";
