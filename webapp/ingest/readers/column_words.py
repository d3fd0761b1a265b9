"""The words by which generic CSV files name their columns, directions and outcomes, in six languages.

Called by `column_guess.py` (column names) and `generic_csv.py` (values). All words are in the form that `plain` gives:
lower case, no accents, one blank between words. English, German, French, Spanish, Dutch, Italian.
"""

import re
import unicodedata
from typing import NamedTuple

from webapp.calls.outcomes import Direction
from webapp.ingest.records import LegResult


class FieldHelp(NamedTuple):
    """A field that a column can hold, for the mapping page."""

    name: str
    label: str
    hint: str


FIELDS = (
    FieldHelp("started", "Start", "Date and time of the call's beginning. Needed, unless these are two columns."),
    FieldHelp("date", "Date", "The day alone, where the time of day is a column of its own."),
    FieldHelp("time", "Time of day", "The time alone, where the date is a column of its own."),
    FieldHelp("answered", "Answered at", "When somebody picked up; or yes and no."),
    FieldHelp("ended", "End", "When the call was over."),
    FieldHelp("duration", "Duration", "From start to end, with the ringing: seconds, m:ss or h:mm:ss."),
    FieldHelp("billsec", "Talk time", "From answer to end. 0 means not answered, where no column says the outcome."),
    FieldHelp("ring", "Ring time", "From start to answer, or to the end if nobody answered."),
    FieldHelp("caller", "Caller", "The number or extension that called."),
    FieldHelp("caller_name", "Caller's name", "The name beside the calling number."),
    FieldHelp("dialed", "Dialled number", "What the caller dialled."),
    FieldHelp("reached", "Reached", "The extension or number that took the call, if it is not the one dialled."),
    FieldHelp("direction", "Direction", "In, out or internal, in words."),
    FieldHelp("outcome", "Outcome", "Answered, no answer, busy, voicemail … or a hangup cause."),
    FieldHelp("did", "Own number", "Your number that the outside caller dialled (DID, DDI)."),
    FieldHelp("id", "Record id", "An id that no other row has."),
    FieldHelp("call_id", "Call id", "An id that all rows of one call share."),
    FieldHelp("account_code", "Account code", "Account code or cost centre."),
    FieldHelp("queue_name", "Queue", "The queue that the caller waited in."),
)


def describe_fields() -> tuple[FieldHelp, ...]:
    """The fields in the order in which the mapping page offers them."""
    return FIELDS


def plain(text: str) -> str:
    """ "Durée_(s)" -> "duree s": lower case, accents and signs off, so that spellings meet."""
    folded = unicodedata.normalize("NFKD", text.casefold().replace("ß", "ss"))
    letters = "".join(letter for letter in folded if not unicodedata.combining(letter))
    return " ".join(re.findall(r"[^\W_]+", letters))


def _table(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(","))


#: Names of columns. A name that stands in two rows belongs to the first.
COLUMN_NAMES: dict[str, tuple[str, ...]] = {
    "started": _table(
        "started, start, start time, starttime, start stamp, start date, starting date, started at, start date time, "
        "call time, call start, calltime, calldate, date time, datetime, date and time, date time local, timestamp, "
        "time stamp, call started, begin, begin time, setup time, initiated, beginn, startzeit, anrufzeit, zeitpunkt, "
        "datum uhrzeit, datum zeit, datum und uhrzeit, gesprachsbeginn, anrufbeginn, date heure, date et heure, debut, "
        "heure de debut, debut d appel, horodatage, fecha hora, fecha y hora, inicio, hora de inicio, fecha de inicio, "
        "starttijd, begintijd, datum tijd, datum en tijd, aanvang, inizio, data ora, data e ora, ora inizio, "
        "ora di inizio"
    ),
    "date": _table("date, call date, day, datum, tag, jour, date d appel, fecha, dia, dag, data, giorno"),
    "time": _table("time, time of day, uhrzeit, zeit, heure, hora, tijd, tijdstip, ora, orario"),
    "answered": _table(
        "answered, answer, answer time, answer stamp, answered at, connect time, connected, connected at, verbunden, "
        "angenommen, angenommen um, decroche, heure de reponse, hora de respuesta, contestada, beantwoord, risposta"
    ),
    "ended": _table(
        "ended, end, end time, endtime, end stamp, end date, ended at, stop time, hangup time, disconnect time, ende, "
        "endzeit, gesprachsende, fin, heure de fin, hora de fin, hora fin, einde, eindtijd, fine, ora fine"
    ),
    "billsec": _table(
        "billsec, bill sec, talk time, talktime, talking, talk duration, talk, billable seconds, billed seconds, "
        "bill seconds, billable duration, billed duration, conversation time, connected time, talk seconds, "
        "gesprachsdauer, gesprachszeit, sprechzeit, temps de conversation, duree de conversation, "
        "tiempo de conversacion, tiempo hablado, gesprekstijd, gespreksduur, tempo di conversazione"
    ),
    "ring": _table(
        "ring, ringing, ring time, ring duration, ring seconds, wait time, waiting, waiting time, waitsec, rufdauer, "
        "klingelzeit, klingeldauer, wartezeit, sonnerie, temps de sonnerie, duree de sonnerie, attente, "
        "tiempo de timbre, tiempo de espera, beltijd, wachttijd, squillo, tempo di squillo, attesa"
    ),
    "duration": _table(
        "duration, call duration, total duration, duration s, duration sec, duration seconds, duration in seconds, "
        "seconds, length, call length, elapsed, elapsed time, total time, dauer, gesamtdauer, anrufdauer, duree, "
        "duree totale, duree d appel, duracion, duracion total, duur, totale duur, durata, durata totale"
    ),
    "caller_name": _table(
        "caller name, caller id name, callername, calling name, from name, source name, clid, cnam, name, anrufername, "
        "name des anrufers, name anrufer, nom, nom de l appelant, nom appelant, nombre, nombre del llamante, naam, "
        "naam beller, nome, nome chiamante"
    ),
    "caller": _table(
        "caller, caller number, caller id number, caller id, callerid, caller no, from, from number, source, src, "
        "source number, calling, calling number, calling party, calling party number, originator, orig, a number, "
        "anumber, cli, ani, cnum, phone number, anrufer, rufnummer, rufnummer anrufer, anrufende nummer, von, quelle, "
        "appelant, numero appelant, numero de l appelant, de, emetteur, origen, llamante, numero origen, "
        "numero de origen, beller, van, bron, oproeper, nummer beller, chiamante, numero chiamante, da, origine"
    ),
    "dialed": _table(
        "dialed, dialled, dialed number, dialled number, destination, destination number, dst, to, to number, called, "
        "called number, called party, called party number, callee, b number, bnumber, recipient, angerufener, "
        "angerufene nummer, gewahlte nummer, ziel, zielnummer, zielrufnummer, an, nach, appele, numero appele, "
        "numero compose, destinataire, a, destino, numero destino, numero de destino, llamado, numero marcado, "
        "gebeld, gebelde, gebeld nummer, gekozen nummer, naar, bestemming, chiamato, numero chiamato, destinazione"
    ),
    "reached": _table(
        "reached, answered by, agent, extension, ext, connected party, connected to, handled by, user, nebenstelle, "
        "teilnehmer, mitarbeiter, poste, utilisateur, repondu par, agente, usuario, toestel, medewerker, interno, "
        "utente"
    ),
    "outcome": _table(
        "outcome, status, call status, disposition, result, call result, hangup cause id, hangup cause, cause, state, "
        "ergebnis, anrufstatus, zustand, statut, resultat, etat, estado, resultado, uitkomst, resultaat, esito, stato"
    ),
    "direction": _table(
        "direction, call direction, in out, call type, type, richtung, anrufrichtung, anrufart, typ, sens, "
        "type d appel, direccion, sentido, tipo, tipo de llamada, richting, soort, direzione, tipo chiamata"
    ),
    "did": _table("did, ddi, did number, ddi number, dnis, inbound number, own number, durchwahl, sda, numero sda"),
    "id": _table("id, uniqueid, unique id, uuid, record id, cdr id, cdrid, row id, recordid"),
    "call_id": _table(
        "call id, callid, linkedid, linked id, session id, sessionid, conversation id, correlation id, call uuid, "
        "sip call id, anruf id, id d appel, id de llamada, gespreks id, id chiamata"
    ),
    "account_code": _table(
        "account code, accountcode, account, cost centre, cost center, kostenstelle, centre de cout, "
        "centro de coste, kostenplaats, centro di costo"
    ),
    "queue_name": _table("queue, queue name, warteschlange, file d attente, cola, wachtrij, coda"),
}

_DIRECTION_WORDS = {
    Direction.INBOUND: _table(
        "in, inbound, incoming, received, terminating, eingehend, ankommend, eingang, entrant, entrante, recu, "
        "recibida, inkomend, binnenkomend, ingresso, ricevuta, missed, verpasst, manque, perdida, gemist, persa"
    ),
    Direction.OUTBOUND: _table(
        "out, outbound, outgoing, originating, placed, ausgehend, abgehend, ausgang, sortant, emis, saliente, "
        "realizada, uitgaand, uscente, uscita, effettuata"
    ),
    Direction.INTERNAL: _table("internal, intern, interne, interna, interno, inside, local"),
}
_RESULT_WORDS = {
    LegResult.ANSWERED: _table(
        "answered, answer, connected, completed, complete, success, successful, ok, accepted, call connected, talked, "
        "yes, true, beantwortet, angenommen, verbunden, erfolgreich, ja, repondu, decroche, abouti, oui, contestada, "
        "respondida, atendida, contestado, si, beantwoord, opgenomen, risposto, risposta, completata, "
        "normal call clearing"
    ),
    LegResult.NO_ANSWER: _table(
        "no answer, noanswer, not answered, unanswered, missed, missed call, abandoned, timeout, timed out, no, false, "
        "nicht angenommen, nicht beantwortet, unbeantwortet, verpasst, keine antwort, nein, sans reponse, non repondu, "
        "manque, appel manque, non, perdida, no contestada, no contestado, sin respuesta, no atendida, gemist, "
        "niet beantwoord, geen antwoord, nee, persa, senza risposta, non risposto, nessuna risposta"
    ),
    LegResult.BUSY: _table("busy, user busy, line busy, besetzt, occupe, ocupado, bezet, in gesprek, occupato"),
    LegResult.CANCELLED: _table(
        "cancel, cancelled, canceled, caller hung up, hung up, originator cancel, abgebrochen, annule, cancelada, "
        "cancelado, geannuleerd, annullata, annullato"
    ),
    LegResult.FAILED: _table(
        "failed, fail, failure, congestion, rejected, declined, blocked, error, unreachable, invalid number, "
        "fehlgeschlagen, abgewiesen, abgelehnt, fehler, echoue, echec, rejete, refuse, fallida, fallido, rechazada, "
        "mislukt, geweigerd, fallita, rifiutata"
    ),
}
_VOICEMAIL = frozenset(
    _table(
        "voicemail, voice mail, vm, left voicemail, mailbox, anrufbeantworter, sprachbox, messagerie, repondeur, "
        "messagerie vocale, buzon, buzon de voz, voicemailbericht, segreteria, segreteria telefonica"
    )
)
_DIRECTIONS = {word: direction for direction, words in _DIRECTION_WORDS.items() for word in words}
_RESULTS = {word: result for result, words in _RESULT_WORDS.items() for word in words}
#: Words that open the last line of an export.
TOTALS = frozenset(_table("total, totals, grand total, sum, summe, gesamt, totaux, totales, suma, totaal, totale"))


def direction_of(text: str) -> Direction:
    """The direction that a value names, else UNKNOWN: by the whole value, else by the first word that is one."""
    words = plain(text)
    if words in _DIRECTIONS:
        return _DIRECTIONS[words]
    return next((_DIRECTIONS[word] for word in words.split() if word in _DIRECTIONS), Direction.UNKNOWN)


def result_of_word(text: str) -> LegResult:
    return _RESULTS.get(plain(text), LegResult.UNKNOWN)


def is_voicemail(text: str) -> bool:
    return plain(text) in _VOICEMAIL
