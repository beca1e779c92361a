"""What invented people write: a grammar of British small talk, drawn by hashes, so that a text follows from its number.

A list of words is one string with `|` between them; Spark makes it an array literal before the first row.
"""

from __future__ import annotations

from hashlib import sha256

from pyspark.sql import Column
from pyspark.sql import functions as F

SAME, WORD, HASHTAG, SHOUT, EMOJI = range(5)
"""How a text departs from the one it is made from; all but WORD and HASHTAG leave its normalised form as it is."""


def noise(seed: int, label: str, number: Column) -> Column:
    """A 64-bit integer that this seed, label and number alone decide."""
    return F.xxhash64(F.lit(_salt(seed, label)), number)


def share(seed: int, label: str, number: Column) -> Column:
    """An even draw from [0, 1)."""
    return F.shiftrightunsigned(noise(seed, label, number), 11).cast("double") * F.lit(2.0**-53)


def below(limit: Column | int, seed: int, label: str, number: Column) -> Column:
    """An even draw from the whole numbers 0 to limit - 1."""
    return F.pmod(noise(seed, label, number), F.lit(limit).cast("bigint"))


def entry(words: str, index: Column) -> Column:
    """The word at this place of a list, from 0; null for an empty one."""
    word = F.get(F.split(F.lit(words), "[|]"), index.cast("int"))
    return F.nullif(word, F.lit("")) if "" in words.split("|") else word


def choice(words: str, seed: int, label: str, number: Column) -> Column:
    """An even draw from a list of words."""
    return entry(words, F.pmod(F.hash(F.lit(_salt(seed, label)), number), F.lit(words.count("|") + 1)))


def text_of(seed: int, number: Column, is_long: Column, twist: Column, own: Column) -> Column:
    """The words of text `number`, changed as the twist says; `own` is the number of the post that carries them."""
    shape = below(10, seed, "shape", number)
    body = (
        F
        .when(is_long | (shape == 0), _long(seed, number, twist))
        .when(shape < 4, _medium(seed, number))
        .otherwise(_short(seed, number))
    )
    return (
        F
        .when(twist == HASHTAG, F.concat_ws(" ", body, choice(HASHTAGS, seed, "hashtag", own)))
        .when(twist == SHOUT, F.concat(F.upper(body), F.lit("!!")))
        .when(twist == EMOJI, F.concat_ws(" ", body, choice(EMOJIS, seed, "emoji", own)))
        .otherwise(body)
    )


def text_in(seed: int, lang: str, number: Column) -> Column:
    """A greeting from some town in a language other than English."""
    greetings, clauses, closings = ABROAD[lang]
    count = (below(2900, seed, "count", number) + 2).cast("string")
    return F.concat_ws(
        " ",
        *_each(seed, number, greetings, TOWNS),
        count,
        choice(clauses, seed, lang, number),
        *_each(seed, number, closings),
    )


def _long(seed: int, number: Column, twist: Column) -> Column:
    """At least 20 words, so that one changed word leaves four fifths of the word pairs alike."""
    days = DAYS.count("|") + 1
    day = F.pmod(below(days, seed, "day", number) + F.when(twist == WORD, 1).otherwise(0), F.lit(days))
    before, after = _each(seed, number, OPENINGS, WHO, DID), _each(seed, number, WHERE, TOWNS, WHY)
    said = F.concat_ws(" ", *before, F.lit("this"), entry(DAYS, day), *after)
    return _sentences(
        said, F.concat_ws(" ", *_each(seed, number, THINGS, ARE)), choice(REACTIONS, seed, "reaction", number)
    )


def _medium(seed: int, number: Column) -> Column:
    clock = F.concat(below(24, seed, "hour", number), F.lit("."), _two_digits(below(60, seed, "minute", number)))
    first, second = _each(seed, number, THINGS, ARE), _each(seed, number, WHO, DID)
    town = choice(TOWNS, seed, "town", number)
    said = F.concat_ws(" ", *first, F.lit("and"), *second, F.lit("at"), clock, F.lit("in"), town)
    return _sentences(said, choice(REACTIONS, seed, "reaction", number))


def _short(seed: int, number: Column) -> Column:
    pence = _two_digits(below(100, seed, "pence", number))
    price = F.concat(F.lit("for £"), below(60, seed, "pounds", number) + 1, F.lit("."), pence)
    said = F.concat_ws(" ", *_each(seed, number, WHO, DID), price, F.lit("near"), choice(TOWNS, seed, "town", number))
    return _sentences(said, choice(REACTIONS, seed, "reaction", number))


def _each(seed: int, number: Column, *lists: str) -> list[Column]:
    """A word of each list."""
    return [choice(words, seed, words[:20], number) for words in lists]


def _sentences(*parts: Column) -> Column:
    return F.concat_ws(". ", *parts)


def _two_digits(value: Column) -> Column:
    return F.lpad(value.cast("string"), 2, "0")


def _salt(seed: int, label: str) -> int:
    """Above 2^32, so that it always is a BIGINT."""
    return int.from_bytes(sha256(f"{seed}/{label}".encode()).digest()[:7], "big") | 1 << 56


OPENINGS = (
    "Honestly,|Right then,|I tell you what,|In today's news,|Not being funny but|Update:|Sorry but|Can confirm:|"
    "Typical,|Blimey,|Mustn't grumble but|Breaking news:|Hand on heart,|For the record,|Only in Britain:|"
    "No word of a lie,|Well well well,|Lovely stuff,|Big day:|File under nonsense:|You heard it here first:|"
    "Small victory:|Fuming,|Bless him,"
)
WHO = (
    "my nan|our Gary|next door's cat|the lad from the chippy|the woman from number 42|my brother-in-law|"
    "the entire queue|our Year 6 teacher|the lollipop lady|half the village|the new vicar|a seagull|"
    "the bloke with the ladder|my mate Dev|Auntie Carol|the under-nines manager|the man from the council|our postie|"
    "my other half|a very polite goose|the whole of platform 4|the pub quiz team|the neighbour's whippet|"
    "little Priya|the bin men|the allotment committee|the bus driver|my flatmate Siân|the away end|Grandad|the choir|"
    "someone in a bobble hat|the darts lot|our landlord|the woman with the trolley|a family of hedgehogs|the physio|"
    "the barman at the Red Lion|my boss|Uncle Tariq"
)
DID = (
    "queued an hour for a cheese toastie|put the wrong bin out again|missed the rail replacement bus|"
    "spilt tea on the telly remote|won the biggest marrow cup|lost the car outside a garden centre|"
    "sang all the way home|apologised to a cash machine|ate the last custard cream|complained about the car park|"
    "bought a second-hand lawnmower|dropped a tray of scones|fell asleep during the shipping forecast|"
    "blamed the referee for everything|put the heating on before October|got sunburnt in nineteen degrees|"
    "forgot the bank holiday entirely|argued over jam before cream|painted the shed bright orange|"
    "planted forty leeks in the rain|got a parking ticket while parked|tried to reverse the caravan|"
    "turned up in fancy dress|left a brolly on the train|recorded over the cup final|"
    "started a petition about the bus shelter|gave the dog a Yorkshire pudding|mistook the mayor for a waiter|"
    "knitted a jumper for the pillar box|pulled a hamstring at bingo|took the minutes in rhyme|"
    "ordered chips with extra chips|claimed to have seen a panther|baked a lopsided Victoria sponge|"
    "rang the wrong doorbell twice|scored a screamer from forty yards|lost at dominoes to a child|"
    "parked across two disabled bays|found a fiver in an old coat|wore shorts to the Christmas market|"
    "stood up the entire way home|cleared the gutters with a spoon|made gravy from memory|cheered for the wrong team|"
    "nodded at a stranger by mistake|brewed a pot strong enough to stand in|fed the meter in old coins|"
    "grew a tomato the size of a pea|held a door for eleven people|tutted at a queue jumper"
)
DAYS = (
    "morning|afternoon|evening|lunchtime|weekend|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|teatime|week"
)
WHERE = (
    "outside the chippy in|behind the leisure centre in|at the big Tesco in|on the top deck in|"
    "by the war memorial in|at the bowls club in|round the back of the café in|on the ring road in|"
    "at the car boot in|under the clock in|next to the canal in|in the rain in|at the tip in|down the allotments in|"
    "on platform 2 in|at the food bank in|by the bandstand in|outside the library in|at the garden centre in|"
    "in the beer garden in"
)
TOWNS = (
    "Leeds|Crewe|Barnsley|Swansea|Perth|Derry|Hull|Luton|Whitby|Stoke|Truro|Wigan|Bangor|Paisley|Newry|Slough|Bolton|"
    "Ely|Cromer|Bude|Dudley|Margate|Preston|Selby|Kendal|Oban|Tenby|Lisburn|Redcar|Yeovil|Corby|Neath|Alloa|Ripon|"
    "Skegness|Grimsby|Rhyl|Ayr|Larne|Walsall|Torquay|Buxton|Hexham|Didcot|Goole|Stroud|Wick|Barry|Bath|Dover|Poole|"
    "Penzance|Rugby|Hove|Ludlow|Nantwich|Omagh|Falkirk|Brecon|Cheadle|Morpeth|Thirsk|Bexhill|Diss|Harlow|Kettering|"
    "Leighton Buzzard|Milton Keynes|Ebbw Vale|Stow-on-the-Wold|Market Harborough|Weston-super-Mare|Ashby-de-la-Zouch|"
    "Berwick-upon-Tweed"
)
WHY = (
    "because the 8.47 was cancelled again|while it absolutely chucked it down|with half the allotment watching on|"
    "since the boiler has packed in|and nobody batted an eyelid about it|after eleven cups of tea|"
    "despite three yellow weather warnings|because leaves were on the line|and then blamed it on the clocks|"
    "while waiting for the plumber to ring|with the cricket on in the background|as the ice cream van went past|"
    "because the council moved the bins|and was home in time for the soaps|just before the heavens opened once more|"
    "which is more than the trains manage|after a pint and a half|in front of the entire Sunday league|"
    "because there was nowt on the telly|and got a round of applause for it|while the kettle was still boiling|"
    "on the hottest day of the year|for the third bank holiday running|with the big light on and everything|"
    "after losing a bet about the football|and frankly good luck to them|because someone said it looked like rain|"
    "without so much as a cuppa first"
)
THINGS = (
    "the telly|the kettle|our bus|the drizzle|the recycling|the referee|that pothole|the left back|"
    "the car park machine|the hosepipe ban|the scout hut roof|the WhatsApp group for our street|"
    "the 17.12 to anywhere|my sourdough|the shed|next door's extension|the self-checkout|the bunting|"
    "the village fete|this queue|the pub carpet|our broadband|the conservatory|that seagull|the signal failure|"
    "the raffle|the rhubarb|the caravan awning|the MOT|the tea urn|the wheelie bin|the cup replay|the quiz machine|"
    "the fog|the vending machine at work|the school run|the new one-way system|the charity shop window|the snooker|"
    "the gravy"
)
ARE = (
    "has given up the ghost|is on the blink again|could be heard three streets away|was never the same after 1997|"
    "deserves a knighthood frankly|is running about forty minutes late|has divided the whole parish|"
    "looks like a crime scene|went better than anyone dared hope|has its own fan club now|"
    "is still not fixed after a month|was a disgrace from start to finish|made a noise like a walrus|"
    "is the talk of the town|would try the patience of a saint|has been moved to a week on Tuesday|"
    "needs a good talking to|cost more than the holiday did|is held together with gaffer tape|turned out nice again|"
    "was worth every single penny|has gone missing without a note|will be the death of me|saved the day once more|"
    "smells faintly of wet dog|is best described as brave|came back from the dead|"
    "has caused a minor diplomatic incident|was over before it started|is being looked into apparently|"
    "has put the kettle to shame|ended in penalties as usual|broke down outside the post office|"
    "is now sponsored by a carpet firm|got three stars on the internet|was cheered by two pensioners|"
    "has been replaced by a cone|is older than my dad|was rained off at half past two|seems to have feelings"
)
REACTIONS = (
    "Proper gutted.|Kettle's on then.|You couldn't make it up.|Absolute scenes.|Mustn't grumble though.|"
    "Not even cross, just disappointed.|Chuffed to bits!|What a time to be alive.|Never again.|Same again next week?|"
    "I need a sit down.|Bob's your uncle.|Gone to the pub.|That's my tea ruined.|Could be worse.|Sod's law.|"
    "Anyone else?|Who do I write to?|Faith in humanity restored.|Well I never.|It's the hope that kills you.|"
    "Back to the drawing board.|Cheers for nothing.|Love this daft country.|Send biscuits.|I said what I said.|"
    "Put that on a tea towel.|Ooh, get them.|Not for the faint of heart.|And breathe."
)
HASHTAGS = (
    "#bankholiday|#typical|#britishproblems|#putthekettleon|#trains|#nonleague|#allotmentlife|#binday|#drizzle|#mondays"
)
EMOJIS = "😂|☕|⚽|🚂|🫖|🤷|🇬🇧|🥧|💙|🐕|🍟|🌂"
"""None with a variation selector: that is a combining mark, which a normalised text keeps."""
WORDLESS = "|🎉🎉🎉|...|!!!|❤️ ❤️|?!|😂😂|☕"
"""Texts without a letter or digit; the first stands for null."""
ABROAD = {
    "cy": (
        "Bore da o|Prynhawn da o|Noswaith dda o|Helo bawb o|Cofion cynnes o",
        "o bobl yn aros am y trên.|munud o law ar do'r tŷ.|paned o de yn y gegin.|gŵydd ar y cae pêl-droed.",
        "Mae'n bwrw glaw eto.|Hwyl am y tro!|Gŵyl y Banc hapus i chi gyd.|Mae'r ŵyn allan.|Diolch i'r gyrrwr bws.",
    ),
    "gd": (
        "Madainn mhath à|Feasgar math à|Halò a h-uile duine à|Oidhche mhath à",
        "caora air an rathad.|mionaid a' feitheamh ris a' bhus.|cupa tì sa chidsin.|ceum chun na tràghad.",
        "Tha an t-uisge ann a-rithist.|Slàinte mhath!|Mar sin leibh an-dràsta.|Tapadh leibh, a dhràibheir.",
    ),
    "pl": (
        "Dzień dobry z|Cześć wszystkim z|Dobry wieczór z|Pozdrowienia z",
        "osób czeka na spóźniony pociąg.|minut w kolejce na pocztę.|herbat z mlekiem dzisiaj.|kroków po deszczu.",
        "Znowu leje.|Miłego dnia!|Gdzie jest moje słońce?|Żartuję, jest całkiem dobrze.",
    ),
    "pa": (
        "ਸਤ ਸ੍ਰੀ ਅਕਾਲ ਜੀ|ਸ਼ੁਭ ਸਵੇਰ ਜੀ|ਸਾਰਿਆਂ ਨੂੰ ਪਿਆਰ ਭਰੀ ਨਮਸਤੇ",
        "ਲੋਕ ਬੱਸ ਦੀ ਉਡੀਕ ਕਰ ਰਹੇ ਹਨ।|ਮਿੰਟ ਤੋਂ ਮੀਂਹ ਪੈ ਰਿਹਾ ਹੈ।|ਕੱਪ ਚਾਹ ਇਸ ਹਫ਼ਤੇ।",
        "ਚਾਹ ਤਿਆਰ ਹੈ।|ਰੱਬ ਰਾਖਾ!|ਅੱਜ ਬਹੁਤ ਠੰਢ ਹੈ।",
    ),
}
"""By language: greetings, clauses that follow a number, closings."""
