"""The catalogue: what is recorded, what staff and the law may see, and the service itself. Read by catalogue.py."""

from webapp.privacy.entries import (
    FOR_EVER,
    IN_TAKEOUT,
    NOBODY,
    OWNERS,
    PUBLIC,
    SERVICE_OWN,
    STAFF_COUNTS,
    STAYS_SERVICE,
    Erased,
    Exported,
    Group,
    How,
    LeftOut,
    Purpose,
    Rows,
    Whose,
    entry,
)

AS_AUDIT = "As long as you keep the record: you set how many days."
THE_ARCHIVE = LeftOut("it is this archive, or an earlier one")

RECORDED = (
    entry(
        "audit_event",
        Group.RECORDED,
        "That something happened: who, what, when, in a chain that shows every change to it.",
        columns="""
            identifier: organization_id
            count: position
            fact: kind
            instant: at
            identifier: actor_id object_id
            fact: words_digest previous_hash row_hash""",
        purpose=Purpose.LAW,
        kept=AS_AUDIT,
        seen_by=OWNERS,
        takeout=Exported("audit/events", people=("actor_id",)),
        erased=Erased(How.BY_ORGANIZATION, "With the organization, once a checkpoint covers the whole chain."),
    ),
    entry(
        "audit_detail",
        Group.RECORDED,
        "The words of what happened: names, addresses, what was searched for.",
        columns="identifier: organization_id count: position fact: salt personal: words",
        personal={"words": "names, addresses and numbers that it was about"},
        purpose=Purpose.LAW,
        kept=AS_AUDIT,
        seen_by=OWNERS,
        takeout=Exported("audit/words"),
        erased=Erased(How.BY_ORGANIZATION, "With the organization, once a checkpoint covers the whole chain."),
        refers_to="audit_event",
    ),
    entry(
        "audit_head",
        Group.RECORDED,
        "The end of the chain.",
        columns="identifier: organization_id count: position fact: row_hash",
        purpose=Purpose.LAW,
        seen_by=OWNERS,
        takeout=Exported("audit/head"),
    ),
    entry(
        "audit_checkpoint",
        Group.RECORDED,
        "Up to where the beginning of the chain was deleted.",
        columns="identifier: organization_id count: position fact: row_hash instant: purged_at",
        purpose=Purpose.LAW,
        kept=FOR_EVER,
        seen_by=OWNERS,
        takeout=Exported("audit/checkpoints"),
        erased=Erased(How.STAYS, "A number and a digest of what is gone: it proves how much was deleted, and when."),
    ),
    entry(
        "audit_viewing",
        Group.RECORDED,
        "That a person's look at something is recorded already for this quarter of an hour.",
        columns="identifier: organization_id user_account_id fact: kind identifier: object_id instant: slot",
        kept="A day.",
        seen_by=IN_TAKEOUT,
        takeout=Exported("audit/looks-of-the-last-day", quarters=("slot",), people=("user_account_id",)),
    ),
    entry(
        "takeout",
        Group.RECORDED,
        "That an owner took everything out.",
        columns="""
            identifier: organization_id id
            fact: state
            identifier: asked_by
            fact: by_staff
            instant: asked_at moment_at ready_at expires_at fetched_at
            count: step steps row_count byte_count
            fact: manifest_digest""",
        seen_by=OWNERS,
        takeout=Exported("organization/takeouts", people=("asked_by",)),
        refers_to="organization",
    ),
    entry(
        "takeout_entry",
        Group.RECORDED,
        "A file in the archive of a takeout.",
        columns="""
            identifier: organization_id takeout_id
            count: position
            personal: name
            count: starts_at_byte packed_count byte_count row_count crc
            fact: digest""",
        personal={"name": "what an imported file was called"},
        kept="As long as a takeout can be fetched: 7 days, or as many as you set.",
        seen_by=OWNERS,
        takeout=THE_ARCHIVE,
        refers_to="takeout",
    ),
    entry(
        "takeout_chunk",
        Group.RECORDED,
        "The archive of a takeout, in pieces.",
        columns="identifier: organization_id takeout_id count: position personal: content",
        personal={"content": "everything that you have"},
        kept="As long as a takeout can be fetched: 7 days, or as many as you set.",
        seen_by=OWNERS,
        takeout=THE_ARCHIVE,
        refers_to="takeout",
    ),
    entry(
        "retention_run",
        Group.RECORDED,
        "What was deleted in a night because it was older than what you keep.",
        columns="""
            identifier: organization_id id
            instant: started_at ended_at
            count: calls records parties files audit_events archives""",
        kept="The last 400 nights that deleted something.",
        seen_by=OWNERS,
        takeout=Exported("organization/retention"),
        refers_to="organization",
    ),
    entry(
        "erasure",
        Group.RECORDED,
        "That an organization or a person was erased. No name stands in it.",
        columns="""
            identifier: id
            fact: kind
            identifier: subject_id
            instant: erased_at
            count: row_count
            fact: receipt""",
        purpose=Purpose.LAW,
        kept=FOR_EVER,
        seen_by=STAFF_COUNTS,
        takeout=SERVICE_OWN,
        erased=Erased(How.STAYS, "A number without a name: by it a restored backup erases what was erased."),
        whose=Whose.SERVICE,
    ),
)

ACCESS = (
    entry(
        "access_request",
        Group.ACCESS,
        "That our staff asked to be let in, and for what.",
        columns="""
            identifier: organization_id id staff_id
            fact: areas full_numbers may_download
            count: hours
            fact: ticket reason state
            instant: created_at expires_at answered_at
            identifier: answered_by""",
        seen_by="Owners; our staff.",
        takeout=Exported("staff-access/requests", people=("staff_id", "answered_by")),
        refers_to="organization",
    ),
    entry(
        "access_grant",
        Group.ACCESS,
        "What an owner allowed our staff to see, and until when.",
        columns="""
            identifier: organization_id id request_id staff_id
            setting: areas full_numbers may_download
            instant: starts_at ends_at
            identifier: allowed_by
            instant: created_at ended_at
            identifier: ended_by""",
        seen_by=OWNERS,
        takeout=Exported("staff-access/grants", people=("staff_id", "allowed_by", "ended_by")),
        refers_to="access_request",
    ),
    entry(
        "access_opening",
        Group.ACCESS,
        "That a member of staff used what you allowed.",
        columns="""
            identifier: organization_id id grant_id staff_id web_session_id
            instant: opened_at until_at ended_at""",
        seen_by=OWNERS,
        takeout=Exported("staff-access/openings", people=("staff_id",)),
        refers_to="access_grant",
    ),
    entry(
        "disclosure",
        Group.ACCESS,
        "That the law made us hand something out.",
        columns="""
            identifier: organization_id id
            fact: legal_basis authority
            personal: scope
            fact: areas
            instant: from_at until_at
            fact: state
            identifier: asked_by
            instant: asked_at
            identifier: agreed_by
            instant: agreed_at produced_at
            fact: manifest_digest
            count: row_count
            fact: gag
            instant: gag_until told_at""",
        personal={"scope": "what had to be handed out, in words"},
        purpose=Purpose.LAW,
        seen_by="Owners, as soon as we may tell; the two of our staff who handle it.",
        takeout=Exported(
            "staff-access/disclosures",
            rows=Rows.TOLD,
            left_out=dict.fromkeys(("asked_by", "agreed_by"), "who of our staff did it is told to nobody"),
        ),
        refers_to="organization",
    ),
    entry(
        "disclosure_chunk",
        Group.ACCESS,
        "What was handed out, sealed.",
        columns="identifier: organization_id disclosure_id count: position personal: content",
        personal={"content": "what was handed out, under a key that was shown once"},
        purpose=Purpose.LAW,
        kept="30 days after it was made.",
        seen_by="The authority that it is for.",
        takeout=LeftOut("sealed under a key that we do not keep; what it was made of is all in here"),
        refers_to="disclosure",
    ),
)

SERVICE = (
    entry(
        "installation",
        Group.SERVICE,
        "What this database is.",
        columns="""
            identifier: id
            count: schema_version
            fact: holds_demo
            secret: number_key_check
            instant: created_at""",
        kept=FOR_EVER,
        seen_by=NOBODY,
        takeout=SERVICE_OWN,
        erased=STAYS_SERVICE,
        whose=Whose.SERVICE,
    ),
    entry(
        "schema_upgrade",
        Group.SERVICE,
        "An upgrade of the database.",
        columns="count: version fact: name checksum instant: applied_at",
        kept=FOR_EVER,
        seen_by=NOBODY,
        takeout=SERVICE_OWN,
        erased=STAYS_SERVICE,
        whose=Whose.SERVICE,
    ),
    entry(
        "throttle",
        Group.SERVICE,
        "How much of a limit is used up, under a digest: no address stands here.",
        columns="secret: throttle_key count: arrival_ms",
        kept="Until the limit is free again: a day at most.",
        seen_by=NOBODY,
        takeout=SERVICE_OWN,
        erased=Erased(How.OF_THEMSELVES, "Rows are swept as soon as the limit is free again."),
        whose=Whose.SERVICE,
    ),
    entry(
        "limited_network",
        Group.SERVICE,
        "A network that a limit turned away.",
        columns="instant: day personal: network fact: limit_name count: refusals instant: last_at",
        personal={"network": "the network address"},
        kept="7 days.",
        seen_by=STAFF_COUNTS,
        takeout=SERVICE_OWN,
        erased=Erased(How.OF_THEMSELVES, "After 7 days; it names no organization."),
        whose=Whose.SERVICE,
    ),
    entry(
        "worker",
        Group.SERVICE,
        "A worker process that is alive.",
        columns="fact: name instant: seen_at",
        kept="A day.",
        seen_by=STAFF_COUNTS,
        takeout=SERVICE_OWN,
        erased=STAYS_SERVICE,
        whose=Whose.SERVICE,
    ),
    entry(
        "service_notice",
        Group.SERVICE,
        "Words that stand on every page: maintenance.",
        columns="identifier: id fact: words instant: starts_at ends_at identifier: created_by instant: created_at",
        kept="A year.",
        seen_by=PUBLIC,
        takeout=SERVICE_OWN,
        erased=STAYS_SERVICE,
        whose=Whose.SERVICE,
    ),
    entry(
        "policy_version",
        Group.SERVICE,
        "A policy as it was published.",
        columns="""
            fact: policy
            count: version
            instant: published_at effective_at
            fact: significant summary body frozen_values digest
            identifier: published_by""",
        purpose=Purpose.LAW,
        kept=FOR_EVER,
        seen_by=PUBLIC,
        takeout=SERVICE_OWN,
        erased=STAYS_SERVICE,
        whose=Whose.SERVICE,
    ),
    entry(
        "announcement",
        Group.SERVICE,
        "What people were told: a change of a policy, or an incident.",
        columns="""
            identifier: id
            fact: kind policy version
            identifier: organization_id
            fact: subject words
            instant: shown_until
            identifier: created_by
            instant: created_at told_all_at""",
        purpose=Purpose.LAW,
        kept=FOR_EVER,
        seen_by="Whoever it was for; our staff; owners, in a takeout.",
        takeout=Exported("organization/announcements"),
        refers_to="policy_version",
    ),
    entry(
        "promise_state",
        Group.SERVICE,
        "Whether a promise of our policies is kept.",
        columns="identifier: promise fact: kept instant: since_at checked_at fact: why",
        kept=FOR_EVER,
        seen_by=PUBLIC,
        takeout=SERVICE_OWN,
        erased=STAYS_SERVICE,
        whose=Whose.SERVICE,
    ),
    entry(
        "promise_change",
        Group.SERVICE,
        "That a promise was no longer kept, or was again.",
        columns="identifier: promise id instant: at fact: kept why",
        kept=FOR_EVER,
        seen_by=PUBLIC,
        takeout=SERVICE_OWN,
        erased=STAYS_SERVICE,
        whose=Whose.SERVICE,
    ),
    entry(
        "recovery_run",
        Group.SERVICE,
        "A backup, a restore or a drill, and what came of it.",
        columns="""
            identifier: id
            fact: kind
            instant: started_at ended_at
            fact: succeeded backup_name
            instant: backup_at
            count: byte_count
            fact: digest
            count: organizations calls
            fact: heads_digest words""",
        kept=FOR_EVER,
        seen_by="Our staff; the last one is published.",
        takeout=SERVICE_OWN,
        erased=STAYS_SERVICE,
        whose=Whose.SERVICE,
    ),
)
