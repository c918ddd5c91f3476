"""Invented begging letters, and news about such letters. The publication is The Example Post."""

from __future__ import annotations

# Prose and buttons of one letter by language; the middle paragraphs say little that is tell-tale.
LETTERS: dict[str, tuple[str, ...]] = {
    "en": (
        "… we have a small request before you leave. More people than ever read The Example Post, and none of them"
        " has to pay for it. We would like to keep it that way, and for that we need your help.",
        "Our promise to check every figure twice has not changed since our first issue. It takes people, and people"
        " have to be paid.",
        "Please support us from as little as $3 a month. It only takes a minute, and every reader makes a difference"
        " to our independent journalism. Thank you.",
        "acepted paiment methods",
        "Contribute monthly",
        "Contribute once",
        "Not today",
    ),
    "de": (
        "Bevor Sie gehen: The Example Post kommt ohne Konzern und ohne Bezahlschranke aus. Damit das so bleibt,"
        " brauchen wir Ihre Unterstützung.",
        "Gute Recherche dauert, und sie kostet Geld, das uns keine Anzeige einbringt.",
        "Unterstützen Sie unseren Journalismus schon ab 4 Euro im Monat. Vielen Dank.",
        "Jetzt spenden",
        "Später erinnern",
    ),
    "fr": (
        "Avant de partir : The Example Post n'a ni actionnaire ni publicité, et nous avons besoin de vous pour que cela"
        " dure.",
        "Nos enquêtes demandent du temps, et notre rédaction compte cinq personnes.",
        "Soutenez un journalisme indépendant : faites un don, à partir de 4 euros par mois. Merci à vous.",
        "Faire un don",
        "Plus tard",
    ),
    "es": (
        "Antes de que cierres esta página: en The Example Post no tenemos accionistas, y necesitamos tu apoyo.",
        "Nuestro periodismo se hace despacio, y nos cuesta dinero cada día.",
        "Haz una donación desde 4 euros al mes y ayúdanos a seguir. Muchas gracias a ti.",
        "Haz una donación",
        "Ahora no",
    ),
    "it": (
        "Prima di chiudere la pagina: The Example Post non ha padroni, e abbiamo bisogno del tuo aiuto.",
        "Il nostro giornalismo costa tempo, e il tempo costa denaro.",
        "Sostieni la nostra redazione con una donazione, da 4 euro al mese. Grazie a te e a tutti i lettori.",
        "Dona ora",
        "Non ora",
    ),
    "ru": (
        "Прежде чем вы уйдёте: у The Example Post нет хозяев, и нам нужна ваша поддержка.",
        "Наша редакция невелика, и мы проверяем каждое слово.",
        "Поддержите нас ежемесячным пожертвованием, хотя бы от 200 рублей в месяц. Спасибо вам.",
        "Сделать пожертвование",
        "Не сейчас",
    ),
}

# None of these may be dropped: reports on asking for money, and quotations of those who ask.
NEWS = (
    "The charity said it had received 4,000 donations after it asked its supporters to help us rebuild the harbour.",
    "“Please support us from just £3 a month” was the most frequent sentence in the letters that the study counted.",
    "Newspapers that ask their readers for a monthly contribution earn more than those behind a paywall, a study says.",
    "The publisher raised its subscription to $12 a month, and subscribers were told that journalism was dearer now.",
    "“We need your help,” the mayor told the volunteers. “Donate what you can, we will rebuild the school together.”",
    "Readers who donate to a newspaper do so most often on a Sunday, according to the figures of the association.",
    "Der Verein bat um Spenden: „Unterstützen Sie uns mit 5 Euro im Monat“, heißt es in dem Schreiben der Redaktion.",
    "Die Zahl der Abonnenten stieg laut Verlag um ein Drittel, seit die Zeitung monatlich 5 Euro verlangt.",
    "« Soutenez-nous, faites un don », répète la présidente de l'association à chaque journaliste qui l'appelle.",
    "Selon la rédaction, le nombre des abonnés a doublé depuis que le journal demande 5 euros par mois.",
    "El periódico perdió suscriptores, según su director, tras subir la suscripción a 9 euros al mes.",
    "По словам редактора, пожертвования читателей покрывают половину расходов издания в месяц.",
    "La cooperativa ha raccolto 3.000 donazioni, secondo il presidente, in meno di un mese.",
    "Subscribers to the gas supplier pay 40 euros a month, and from May they will pay 46 euros.",
)
