"""Closed groups of English words, each with a name a person reads.

The "field" of the semantic regexes of arXiv 2510.06378, restricted to what a program can decide:
the members are listed here and never change with the data. Our own lists.
"""

GROUPS: dict[str, tuple[str, str]] = {  # id: (name in a sentence, members)
    "article": ("an article", "a an the"),
    "demonstrative": ("this, that, these or those", "this that these those"),
    "personal": ("a personal pronoun", "i you he she it we they me him her us them"),
    "first-person": ("a first-person word", "i me my mine myself we us our ours ourselves"),
    "second-person": ("a second-person word", "you your yours yourself yourselves"),
    "third-person": ("a third-person pronoun", "he him his himself she her hers herself they them their theirs themselves"),
    "female": ("a word for a woman", "she her hers herself woman women girl girls mother mom daughter sister wife aunt queen lady ladies female mrs ms"),
    "male": ("a word for a man", "he him his himself man men boy boys father dad son brother husband uncle king gentleman male mr sir"),
    "possessive": ("a possessive", "my your his her its our their whose mine yours hers ours theirs"),
    "reflexive": ("a reflexive pronoun", "myself yourself himself herself itself ourselves yourselves themselves oneself"),
    "indefinite": ("an indefinite pronoun", "someone somebody something anyone anybody anything everyone everybody everything nobody nothing none somewhere anywhere everywhere nowhere"),
    "question": ("a question word", "who whom whose what which when where why how whatever whoever whichever whenever wherever however"),
    "quantifier": ("a quantity word", "some any all both each every either neither many much few several more most less least enough another other such no none half lot lots plenty"),
    "be": ("a form of “be”", "be am is are was were been being isn aren wasn weren"),
    "have": ("a form of “have”", "have has had having haven hasn hadn"),
    "do": ("a form of “do”", "do does did doing done don doesn didn"),
    "modal": ("a modal verb", "can could may might must shall should will would ought cannot won wouldn couldn shouldn"),
    "negation": ("a negation", "not no never none nor neither nothing nobody nowhere without cannot don doesn didn isn aren wasn weren won wouldn couldn shouldn haven hasn hadn"),
    "and-or": ("a coordinating conjunction", "and or but nor so yet"),
    "subordinator": ("a subordinating conjunction", "because although though while whereas since unless until if whether when whenever as than that once before after"),
    "contrast": ("a word of contrast", "but however although though yet despite nevertheless nonetheless whereas instead rather unlike still while"),
    "cause": ("a word of cause or result", "because therefore thus hence since consequently so due accordingly why"),
    "preposition": ("a preposition", "of in to for with on at from by about into through during over under between against among toward towards upon within across behind beyond near onto off above below along around beside besides inside outside per via without throughout"),
    "direction": ("a word of place or direction", "up down left right north south east west northern southern eastern western above below inside outside top bottom front back here there away forward backward"),
    "comparative": ("a comparative", "better worse more less bigger smaller larger higher lower greater older younger longer shorter faster slower easier harder stronger weaker earlier later further deeper wider cheaper lesser fewer"),
    "superlative": ("a superlative", "best worst most least biggest smallest largest highest lowest greatest oldest youngest longest shortest fastest easiest hardest strongest latest earliest finest newest"),
    "adverb-degree": ("an adverb of degree", "very too so quite rather really extremely highly almost nearly just only even especially particularly completely totally absolutely pretty fairly somewhat slightly"),
    "frequency": ("an adverb of frequency", "always usually often sometimes rarely seldom never frequently occasionally generally normally regularly constantly daily weekly monthly yearly annually"),
    "number-word": ("a number word", "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion trillion dozen"),
    "ordinal": ("an ordinal", "first second third fourth fifth sixth seventh eighth ninth tenth last next final"),
    "month": ("a month", "january february march april may june july august september october november december jan feb mar apr jun jul aug sep sept oct nov dec"),
    "weekday": ("a day of the week", "monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun"),
    "season": ("a season", "spring summer autumn fall winter"),
    "time-unit": ("a unit of time", "second seconds minute minutes hour hours day days week weeks month months year years decade decades century centuries"),
    "time-of-day": ("a time of day", "morning noon afternoon evening night midnight dawn dusk today tomorrow yesterday tonight am pm"),
    "colour": ("a colour", "red orange yellow green blue purple pink brown black white grey gray gold silver violet crimson scarlet turquoise beige"),
    "family": ("a family member", "mother father mom dad parent parents son daughter brother sister husband wife child children uncle aunt cousin grandmother grandfather grandma grandpa nephew niece baby kid kids family"),
    "person": ("a word for a person", "man woman men women boy girl person people guy guys girls boys lady gentleman child children adult adults kid kids individual individuals human humans"),
    "body": ("a part of the body", "head face eye eyes ear ears nose mouth lip lips tooth teeth neck shoulder arm arms hand hands finger fingers chest back stomach leg legs knee foot feet skin hair heart brain blood bone bones"),
    "title": ("a title before a name", "mr mrs ms miss dr prof professor sir lord lady king queen prince princess president senator governor captain general judge reverend"),
    "country": ("a country or people", "america american americans britain british england english france french germany german germans italy italian spain spanish russia russian china chinese japan japanese india indian canada canadian australia australian mexico mexican brazil africa african europe european asia asian israel israeli iran iraq syria turkey ukraine korea korean ireland irish scotland scottish greece greek egypt pakistan"),
    "us-state": ("an American state", "alabama alaska arizona arkansas california colorado connecticut delaware florida georgia hawaii idaho illinois indiana iowa kansas kentucky louisiana maine maryland massachusetts michigan minnesota mississippi missouri montana nebraska nevada ohio oklahoma oregon pennsylvania tennessee texas utah vermont virginia washington wisconsin wyoming"),
    "say": ("a verb of saying", "say says said saying tell tells told telling ask asks asked asking reply replied answer answered explain explained state stated claim claimed argue argued note noted add added speak spoke talk talked"),
    "think": ("a verb of thinking", "think thinks thought thinking know knows knew known believe believes believed feel feels felt understand understood realize realized wonder remember consider considered guess suppose hope expect assume imagine"),
    "currency": ("a currency", "dollar dollars euro euros pound pounds yen cent cents usd eur gbp $ € £ ¥"),
    "measure": ("a unit of measure", "inch inches foot feet yard yards mile miles meter meters metre metres kilometer kilometers km cm mm kg gram grams pound pounds ounce ounces ton tons liter liters gallon gallons acre acres percent degrees mph"),
    "file-type": ("a file type or web ending", "com org net edu gov www http https html htm php pdf jpg png gif txt doc zip"),
}  # fmt: skip

NAME_OF = {key: name for key, (name, _) in GROUPS.items()}
MEMBERS_OF = {key: tuple(members.split()) for key, (_, members) in GROUPS.items()}
GROUPS_OF: dict[str, tuple[str, ...]] = {}
for _key, _members in MEMBERS_OF.items():
    for _word in _members:
        GROUPS_OF[_word] = (*GROUPS_OF.get(_word, ()), _key)
