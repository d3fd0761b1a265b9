"""How much is measured: the sizes of a full run, and those of a smoke run that only shows that everything works."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    calls: int  #: in the one large organization
    fewer_calls: int  #: the same with a tenth of them
    other_organizations: int
    calls_of_others: int  #: of each
    parties: int  #: outside numbers that call and are called
    import_lines: int
    fewer_import_lines: int
    import_parties: int
    loaded_lines: int  #: imported while pages are asked for
    collecting_seconds: int  #: for which phone systems send by themselves
    console_organizations: int  #: that the staff's list has
    told: int  #: people who are told of a change
    kills: int  #: of the workers that tell and send
    rounds: int  #: runs of each page and each limit


FULL = Scale(
    calls=1_000_000,
    fewer_calls=100_000,
    other_organizations=200,
    calls_of_others=250,
    parties=8_000,
    import_lines=1_000_000,
    fewer_import_lines=10_000,
    import_parties=50_000,
    loaded_lines=400_000,
    collecting_seconds=60,
    console_organizations=10_000,
    told=10_000,
    kills=20,
    rounds=30,
)
SMALL = Scale(
    calls=1_000,
    fewer_calls=100,
    other_organizations=3,
    calls_of_others=20,
    parties=200,
    import_lines=1_000,
    fewer_import_lines=100,
    import_parties=200,
    loaded_lines=2_000,
    collecting_seconds=2,
    console_organizations=100,
    told=200,
    kills=4,
    rounds=3,
)
