"""The function words of languages: they identify the language of a text, and have no meaning in a search."""

from __future__ import annotations

from collections.abc import Sequence

DEFAULT = "english"
"""The language of a text in ASCII letters whose function words identify no other language."""
NO_LANGUAGE = ""
"""The language of a text whose words are not stemmed."""

_SHARE = 5  # a language is detected if at least one of this number of words is a function word
_SAMPLE = 200  # maximum words that the detection reads

_WORDS = {
    "english": "a an the and or but if so as at by for from in into of off on onto out over to up with about after"
    " before between during through under until while i me my mine myself you your yours yourself he him his she her"
    " hers it its we us our ours they them their theirs this that these those who whom whose which what when where why"
    " how am is are was were be been being do does did doing done have has had having will would shall should can could"
    " may might must not no nor than then there here too very just also only own same such both each few more most"
    " other some any all again once s t re ve ll d m don didn doesn isn wasn aren weren won wouldn couldn shouldn",
    "german": "der die das den dem des ein eine einen einem einer eines und oder aber wenn so als wie an am auf aus bei"
    " beim bis durch für gegen in im ins mit nach ohne über um unter von vom vor zu zum zur ich mich mir mein meine"
    " meinen meinem meiner du dich dir dein deine er ihn ihm sein seine sie ihr ihre ihren es wir uns unser unsere euch"
    " dieser diese dieses wer wen wem was wann wo warum welche welcher welches bin bist ist sind seid war waren wird"
    " werde werden wurde wurden hat habe haben hatte hatten kann können soll muss nicht kein keine nur auch noch schon"
    " sehr da dort hier dann dass weil denn doch mal",
    "french": "le la les l un une des du de d et ou mais si comme à au aux dans en par pour sur avec sans sous entre je"
    " me moi mon ma mes tu te toi ton ta tes il elle on nous notre nos vous votre vos ils elles leur leurs lui se son"
    " sa ses ce cet cette ces c qui que qu quoi dont où quand comment pourquoi suis es est sommes êtes sont était"
    " étaient ai as a avons avez ont avait ne n pas plus très aussi y j m t s",
    "spanish": "el la los las un una unos unas y o pero si como a al de del en por para con sin sobre entre yo me mi"
    " mis tú tu tus te él ella nosotros nos nuestro nuestra vosotros os ellos ellas su sus se lo le les este esta"
    " estos estas eso esto que qué quien quién cual cuál cuando cuándo donde dónde cómo porque soy eres es somos son"
    " era eran fue he ha hemos han había no ni más muy también ya",
    "italian": "il lo la i gli le l un uno una e o ma se come a al alla ai alle di del della dei delle da dal in nel"
    " nella con su per tra fra io me mi mio mia tu te ti tuo tua lui lei noi ci nostro voi vi loro suo sua si questo"
    " questa quello quella che chi cui quando dove perché sono sei è siamo siete era erano ho hai ha abbiamo hanno"
    " aveva non più molto anche già",
    "portuguese": "o a os as um uma uns umas e ou mas se como ao à de do da dos das em no na nos nas por para com sem"
    " sobre entre eu me meu minha tu te teu você ele ela nós nosso vocês eles elas seu sua este esta isso que quem qual"
    " quando onde porque sou é somos são era eram foi tenho tem temos têm tinha não mais muito também já",
    "dutch": "de het een en of maar als zo aan bij door in met na naar om onder op over te tot uit van voor zonder ik"
    " mij me mijn jij je jou jouw hij hem zijn zij ze haar wij we ons onze jullie hun dit dat deze die wie wat wanneer"
    " waar waarom welke ben bent is was waren wordt worden heb hebt heeft hebben had kan kunnen niet geen ook nog heel"
    " er hier dan",
}

FUNCTION_WORDS: dict[str, frozenset[str]] = {language: frozenset(words.split()) for language, words in _WORDS.items()}
"""The function words of each language that can be detected."""


def detect_language(words: Sequence[str]) -> str:
    """Return the language of a text by its function words.

    The stemmer of a wrong language cuts words in wrong places, so a text with letters beyond ASCII whose language is
    not found has no language.

    Args:
        words: the words of the text, in lower case.
    """
    sample = words[:_SAMPLE]
    counts = {language: sum(word in of_language for word in sample) for language, of_language in FUNCTION_WORDS.items()}
    best = max(counts, key=lambda language: counts[language])
    if counts[best] > counts[DEFAULT] and counts[best] * _SHARE >= len(sample):
        return best
    plain = all(word.isascii() for word in sample)
    return DEFAULT if plain or counts[DEFAULT] * _SHARE >= len(sample) else NO_LANGUAGE
