"""Harbour Ltd, the fictional firm of the demo: its people, its numbers, and who calls it.

Every outside number lies in a range reserved for fiction: Ofcom's numbers for drama, +1 xxx 555-01xx, Arcep's
01 99 00 xx xx and the Bundesnetzagentur's 030 23125 xxx. Read by `day_plan.py`, the row writers and the demo command.
"""

from typing import NamedTuple

ORGANIZATION_NAME = "Harbour Ltd"
TIME_ZONE = "Europe/London"
REGION = "GB"
AREA_CODE = "020"
EXTENSION_DIGITS = 3

HEAD_OFFICE = "Head office"
CLOUD_TRUNK = "Cloud trunk"


class Person(NamedTuple):
    extension: str
    name: str
    place: str


class Party(NamedTuple):
    """Somebody outside: the number as the line presents it, and the name, "" if the line sends none."""

    number: str
    name: str


PEOPLE = (
    Person("201", "Grace", "Reception"),
    Person("202", "Priya", "Sales"),
    Person("203", "Tom", "Sales"),
    Person("204", "Marek", "Workshop"),
    Person("205", "Hannah", "Sales"),
    Person("206", "Joe", "Workshop"),
    Person("207", "Sandra", "Accounts"),
    Person("208", "Helen", "Management"),
    Person("209", "Duncan", "Management"),
    Person("210", "Ravi", "Warehouse"),
    Person("211", "Chloe", "Service"),
    Person("212", "Ahmed", "Service"),
)
REMOTE_PEOPLE = (Person("301", "Tomas", "Remote"), Person("302", "Bronwen", "Remote"))

NAMES = {person.extension: person.name for person in (*PEOPLE, *REMOTE_PEOPLE)}

RECEPTION = "201"
SALES_GROUP, SALES_PHONES = "600", ("202", "203", "205")
SUPPORT_QUEUE, SUPPORT_AGENTS = "700", ("211", "212", "210")
SUPPORT_QUEUE_NAME = "support"
NIGHT_MENU = "800"
OWN_MAILBOX = "*97"

#: Extension or internal number -> what the pages call it.
EXTENSIONS = {
    "201": "Reception",
    **{p.extension: f"{p.name}, {p.place}" for p in (*PEOPLE, *REMOTE_PEOPLE) if p.extension != RECEPTION},
    SALES_GROUP: "Sales group",
    SUPPORT_QUEUE: "Support queue",
    NIGHT_MENU: "Out-of-hours menu",
}

#: Phone system -> the names of its outside lines: channels without their suffix, and contexts of calls from outside.
OUTSIDE_LINES = {HEAD_OFFICE: ("PJSIP/provider", "from-trunk"), CLOUD_TRUNK: ("public",)}

MAIN_NUMBER = "02079460100"
SALES_NUMBER = "02079460101"
CAMPAIGN_NUMBER = "02079460102"  #: rings the sales group through Local channels
SUPPORT_NUMBER = "02079460103"
DIRECT_NUMBERS = {p.extension: f"020794601{int(p.extension) - 180}" for p in PEOPLE}
CLOUD_NUMBERS = {"301": "02079460181", "302": "02079460182"}
CLOUD_SHARED_NUMBER = "02079460180"  #: rings 301 and 302 together

#: Who has calls forwarded to a mobile when the desk phone is not answered.
MOBILES = {
    "203": "07700900103",
    "204": "07700900104",
    "208": "07700900108",
    "209": "07700900109",
    "211": "07700900111",
}

WITHHELD = Party("anonymous", "Anonymous")

#: Area code -> the digits that all its numbers for fiction begin with; three more follow.
FICTION_PREFIXES = {
    "020": "02079460",
    "0113": "01134960",
    "0114": "01144960",
    "0115": "01154960",
    "0116": "01164960",
    "0117": "01174960",
    "0118": "01184960",
    "0121": "01214960",
    "0131": "01314960",
    "0141": "01414960",
    "0151": "01514960",
    "0161": "01614960",
    "0191": "01914980",
    "07700": "07700900",
    "0808": "08081570",
    "+33": "0033199000",
    "+49": "00493023125",
}

#: The firm's customers and suppliers with their area, those who call most first. "" as name: the line sends none.
REGULARS_BY_AREA = (
    ("Thameside Joinery", "020"), ("Bright & Sons", "0121"), ("Calder Fittings", "0113"),
    ("Northgate Supplies", "0161"), ("", "07700"), ("Wapping Boatyard", "020"), ("Tyne Valley Catering", "0191"),
    ("Mersey Marine", "0151"), ("Avon Timber", "0117"), ("Kestrel Couriers", "020"), ("Larkfield School", "0118"),
    ("", "07700"), ("O'Brien Interiors", "020"), ("Penrose Lighting", "0115"), ("Greenwich Theatre Works", "020"),
    ("Forth Engineering", "0131"), ("Don Steel Stock", "0114"), ("Priory Kitchens", "0116"), ("", "07700"),
    ("Clyde Glass", "0141"), ("Fernbank Care Home", "0121"), ("Stanhope Estates", "020"), ("Ouse Packaging", "0113"),
    ("Ashdown Architects", "020"), ("Mill Lane Dental", "0118"), ("Rotherhithe Sails", "020"), ("", "07700"),
    ("Pennine Paints", "0161"), ("Acorn Fixings", "0115"), ("City Parcel Desk", "0808"), ("Beacon Insurance", "0808"),
    ("Marlow Rowing Club", "0118"), ("Dockside Diner", "020"), ("Gable & Finch", "0117"), ("", "07700"),
    ("Hallam Tooling", "0114"), ("Quayside Print", "0191"), ("Soar Valley Motors", "0116"),
    ("Limehouse Studios", "020"), ("Trent Bearings", "0115"), ("Leith Ropes", "0131"), ("Atelier Vasseur", "+33"),
    ("Müller & Söhne", "+49"), ("Waverley Hotels", "0131"), ("", "07700"), ("Poplar Community Hall", "020"),
    ("Severn Plastics", "0117"), ("Aire Logistics", "0113"), ("Kelvin Catering", "0141"),
    ("Bermondsey Brewing", "020"), ("Irwell Signs", "0161"), ("Redcliffe Hardware", "0117"),
    ("Sefton Council Stores", "0151"), ("", "07700"), ("Castle Vale Glazing", "0121"), ("Highfield Nursery", "0116"),
    ("Spindle & Thread", "020"), ("Jesmond Books", "0191"), ("Kennet Canal Trips", "0118"),
    ("Sharrow Ceramics", "0114"), ("Blythe Accountancy", "020"), ("", "07700"), ("Wollaton Gardens", "0115"),
    ("Govan Metalwork", "0141"), ("Ladywood Tiles", "0121"), ("Southbank Events", "020"),
    ("Headingley Cycles", "0113"), ("Toxteth Timber", "0151"), ("Clifton Upholstery", "0117"),
    ("Salford Switchgear", "0161"), ("", "07700"), ("Deptford Chandlers", "020"), ("Morningside Vets", "0131"),
    ("Evington Electrical", "0116"), ("Caversham Cameras", "0118"), ("Gosforth Garage", "0191"),
    ("Heeley Hoists", "0114"), ("Pimlico Flooring", "020"), ("Aston Alarms", "0121"), ("Kirkstall Cabinets", "0113"),
    ("Berliner Messebau", "+49"), ("", "07700"), ("Lace Market Design", "0115"), ("Partick Pianos", "0141"),
    ("Wavertree Wines", "0151"), ("Chorlton Cheese", "0161"), ("Stockwell Stairs", "020"),
    ("Bedminster Bikes", "0117"), ("Newhaven Fish", "0131"), ("Librairie du Quai", "+33"),
)  # fmt: skip

#: Numbers in the United States: the area code is anybody's, the rest is 555-01xx.
AMERICANS = (Party("0012125550142", "Pier 40 Outfitters"), Party("0013125550117", "Lakefront Yachts"))

ALARM_CENTRE = Party("08081570999", "Sentinel Alarms")


def _regulars() -> tuple[Party, ...]:
    found = [
        Party(f"{FICTION_PREFIXES[area]}{200 + turn * 37 % 700}", name)
        for turn, (name, area) in enumerate(REGULARS_BY_AREA)
    ]
    return (*found[:40], AMERICANS[0], *found[40:70], AMERICANS[1], *found[70:])


REGULARS = _regulars()
#: How much of the calls each of them makes: the first calls some forty times as often as the last.
REGULAR_WEIGHTS = tuple(1.0 / (rank + 1.5) ** 0.9 for rank in range(len(REGULARS)))


def contact_of(regular: Party) -> str:
    """The extension that this regular usually deals with."""
    others = ("202", "203", "205", "204", "206", "207", "210", "208", "211", "209", "212")
    return others[int(regular.number[-3:]) % len(others)]
