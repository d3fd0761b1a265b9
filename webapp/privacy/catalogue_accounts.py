"""The catalogue: a person's own account and how they sign in. Read by catalogue.py."""

from webapp.privacy.entries import (
    GOES_WITH_PERSON,
    NOBODY,
    PERSONS_OWN,
    THE_PERSON,
    WITH_ACCOUNT,
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

ACCOUNTS = (
    entry(
        "user_account",
        Group.ACCOUNTS,
        "A person who can sign in.",
        columns="""
            identifier: id
            personal: email name
            secret: password_digest totp_secret totp_last_step
            fact: state
            instant: created_at password_set_at alone_since
            fact: is_staff""",
        personal={"email": "the e-mail address", "name": "the name the person wants to be called"},
        kept="Until the person leaves, or has been in no organization for 90 days.",
        seen_by="The person; members of the same organizations; staff only while you allow it.",
        takeout=Exported(
            "people/accounts",
            rows=Rows.MEMBERS,
            left_out=dict.fromkeys(("password_set_at", "alone_since", "is_staff"), "the person's own affair"),
        ),
        erased=GOES_WITH_PERSON,
        whose=Whose.PERSON,
    ),
    entry(
        "user_email",
        Group.ACCOUNTS,
        "A confirmed address of a person.",
        columns="personal: email identifier: user_account_id instant: confirmed_at",
        personal={"email": "the e-mail address"},
        kept=WITH_ACCOUNT,
        seen_by=THE_PERSON,
        takeout=PERSONS_OWN,
        erased=GOES_WITH_PERSON,
        whose=Whose.PERSON,
        refers_to="user_account",
    ),
    entry(
        "recovery_code",
        Group.ACCOUNTS,
        "A code that signs in once without the second factor; the code itself is nowhere.",
        columns="identifier: user_account_id secret: code_digest instant: used_at",
        kept=WITH_ACCOUNT,
        seen_by=NOBODY,
        takeout=PERSONS_OWN,
        erased=GOES_WITH_PERSON,
        whose=Whose.PERSON,
        refers_to="user_account",
    ),
    entry(
        "account_link",
        Group.ACCOUNTS,
        "A link that was mailed to a person; the link itself is nowhere.",
        columns="""
            secret: token_digest
            identifier: user_account_id
            fact: kind
            personal: email
            instant: created_at expires_at used_at""",
        personal={"email": "the address it went to"},
        kept="A day after it has run out.",
        seen_by=NOBODY,
        takeout=PERSONS_OWN,
        erased=GOES_WITH_PERSON,
        whose=Whose.PERSON,
        refers_to="user_account",
    ),
    entry(
        "account_event",
        Group.ACCOUNTS,
        "What happened to an account: sign-ins, passwords, codes.",
        columns="""
            identifier: user_account_id id
            fact: kind
            instant: at
            personal: network
            fact: browser""",
        personal={"network": "the network address it came from"},
        kept=WITH_ACCOUNT,
        seen_by=THE_PERSON,
        takeout=PERSONS_OWN,
        erased=GOES_WITH_PERSON,
        whose=Whose.PERSON,
        refers_to="user_account",
    ),
    entry(
        "web_session",
        Group.ACCOUNTS,
        "A browser that is signed in: what the cookie's number stands for.",
        columns="""
            secret: id_digest
            identifier: id user_account_id
            fact: state
            instant: created_at last_seen_at proved_at
            setting: idle_minutes
            personal: network
            fact: browser payload renewal_due
            instant: factor_ms
            fact: is_staff""",
        personal={"network": "the network address it came from"},
        kept="Until sign-out, or until it has run out: 12 hours at most.",
        seen_by=THE_PERSON,
        takeout=PERSONS_OWN,
        erased=Erased(
            How.WITH_PERSON, "With the person. One that holds an invitation of the organization runs out in 12 hours."
        ),
        whose=Whose.PERSON,
        refers_to="user_account",
    ),
    entry(
        "passkey",
        Group.ACCOUNTS,
        "A passkey of a person: its public half.",
        columns="""
            identifier: user_account_id id
            secret: credential_id public_key sign_count
            personal: name
            fact: synced transports
            instant: created_at last_used_at""",
        personal={"name": "what the person calls it"},
        kept=WITH_ACCOUNT,
        seen_by=THE_PERSON,
        takeout=PERSONS_OWN,
        erased=GOES_WITH_PERSON,
        whose=Whose.PERSON,
        refers_to="user_account",
    ),
    entry(
        "passkey_challenge",
        Group.ACCOUNTS,
        "A question that a passkey is to answer.",
        columns="""
            secret: challenge_digest
            fact: purpose
            secret: browser_digest
            identifier: user_account_id
            instant: expires_at""",
        kept="Five minutes.",
        seen_by=NOBODY,
        takeout=PERSONS_OWN,
        erased=GOES_WITH_PERSON,
        whose=Whose.PERSON,
        refers_to="user_account",
    ),
    entry(
        "help_code",
        Group.ACCOUNTS,
        "By what a person tells our staff on the telephone who they are; the code itself is nowhere.",
        columns="""
            identifier: user_account_id organization_id
            secret: code_digest
            instant: expires_at used_at
            identifier: used_by""",
        kept="Until the next one.",
        seen_by=NOBODY,
        takeout=LeftOut("a secret of 15 minutes, and the person's own"),
        whose=Whose.PERSON,
        refers_to="user_account",
    ),
    entry(
        "factor_removal",
        Group.ACCOUNTS,
        "That a person lost every second factor, and is let in again step by step.",
        columns="""
            identifier: id user_account_id
            fact: state
            identifier: started_by
            fact: reason
            secret: stop_digest
            instant: created_at ready_at ended_at""",
        kept="A year.",
        seen_by="The person; owners of their organizations; our staff.",
        takeout=PERSONS_OWN,
        erased=GOES_WITH_PERSON,
        whose=Whose.PERSON,
        refers_to="user_account",
    ),
    entry(
        "announcement_person",
        Group.ACCOUNTS,
        "That a person was told of a change of a policy, or of an incident.",
        columns="""
            identifier: announcement_id user_account_id
            instant: told_at
            identifier: outbox_message_id
            fact: outcome
            instant: outcome_at
            fact: error
            instant: dismissed_at""",
        purpose=Purpose.LAW,
        kept=WITH_ACCOUNT,
        seen_by="The person; our staff.",
        takeout=PERSONS_OWN,
        erased=Erased(
            How.WITH_ANNOUNCEMENT, "With the person, or with an announcement that was to the organization alone."
        ),
        whose=Whose.PERSON,
        refers_to="announcement user_account",
    ),
)
