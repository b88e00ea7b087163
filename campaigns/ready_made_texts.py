"""What the ready-made campaigns say: Liquid, in three languages, by the blueprint's code."""

from collections.abc import Mapping

_HI = "{% if member.first_name %}, {{ member.first_name }}{% endif %}"

Said = Mapping[str, str]

TEXTS: Mapping[str, Mapping[str, Said]] = {
    "welcome": {
        "fi": {
            "subject": "Tervetuloa" + _HI + "!",
            "preheader": "Näin saat jäsenyydestäsi eniten irti.",
            "body": "Mukavaa, että liityit. Näytä jäsenkorttisi kassalla, niin keräät pisteitä joka ostoksesta.\n\n"
            "Pisteillä saat palkintoja. Valitse suosikkisi jo nyt, niin kerromme, kun se on sinun.",
            "button_label": "Katso palkinnot",
        },
        "sv": {
            "subject": "Välkommen" + _HI + "!",
            "preheader": "Så får du ut det mesta av ditt medlemskap.",
            "body": "Roligt att du är med. Visa ditt medlemskort i kassan, så samlar du poäng på varje köp.\n\n"
            "För poängen får du belöningar. Välj din favorit redan nu, så berättar vi när den är din.",
            "button_label": "Se belöningarna",
        },
        "en": {
            "subject": "Welcome" + _HI + "!",
            "preheader": "How to get the most out of your membership.",
            "body": "Good to have you with us. Show your card at the till and every purchase brings points.\n\n"
            "Points bring rewards. Pick a favourite now, and we will tell you when it can be yours.",
            "button_label": "See the rewards",
        },
    },
    "after-purchase": {
        "fi": {
            "subject": "Kiitos ostoksestasi" + _HI,
            "body": "{% if activity.products.size > 0 %}Ostit: {% for product in activity.products limit: 5 %}"
            "{{ product.name }}{% unless forloop.last %}, {% endunless %}{% endfor %}.\n\n{% endif %}"
            "{% if recommendations.size > 0 %}Näistäkin voisit pitää: {% for product in recommendations limit: 3 %}"
            "{{ product.name }}{% unless forloop.last %}, {% endunless %}{% endfor %}.\n\n{% endif %}"
            "Sinulla on nyt {{ balance.available }} pistettä.",
            "button_label": "Katso pisteesi",
        },
        "sv": {
            "subject": "Tack för ditt köp" + _HI,
            "body": "{% if activity.products.size > 0 %}Du köpte: {% for product in activity.products limit: 5 %}"
            "{{ product.name }}{% unless forloop.last %}, {% endunless %}{% endfor %}.\n\n{% endif %}"
            "{% if recommendations.size > 0 %}Det här kan du också tycka om: "
            "{% for product in recommendations limit: 3 %}"
            "{{ product.name }}{% unless forloop.last %}, {% endunless %}{% endfor %}.\n\n{% endif %}"
            "Du har nu {{ balance.available }} poäng.",
            "button_label": "Se dina poäng",
        },
        "en": {
            "subject": "Thank you for your purchase" + _HI,
            "body": "{% if activity.products.size > 0 %}You bought: {% for product in activity.products limit: 5 %}"
            "{{ product.name }}{% unless forloop.last %}, {% endunless %}{% endfor %}.\n\n{% endif %}"
            "{% if recommendations.size > 0 %}You may like these, too: "
            "{% for product in recommendations limit: 3 %}"
            "{{ product.name }}{% unless forloop.last %}, {% endunless %}{% endfor %}.\n\n{% endif %}"
            "You have {{ balance.available }} points now.",
            "button_label": "See your points",
        },
    },
    "win-back": {
        "fi": {
            "subject": "Meillä on ikävä sinua" + _HI,
            "preheader": "Pisteesi odottavat.",
            "body": "Edellisestä käynnistäsi on jo aikaa. Sinua odottaa {{ balance.available }} pistettä."
            "{% if reward.name %}\n\nNiillä säästät palkintoon {{ reward.name }}.{% endif %}",
            "button_label": "Katso palkinnot",
        },
        "sv": {
            "subject": "Vi saknar dig" + _HI,
            "preheader": "Dina poäng väntar.",
            "body": "Det är ett tag sedan du besökte oss. {{ balance.available }} poäng väntar på dig."
            "{% if reward.name %}\n\nMed dem sparar du till {{ reward.name }}.{% endif %}",
            "button_label": "Se belöningarna",
        },
        "en": {
            "subject": "We miss you" + _HI,
            "preheader": "Your points are waiting.",
            "body": "It has been a while. {{ balance.available }} points are waiting for you."
            "{% if reward.name %}\n\nWith them you save for {{ reward.name }}.{% endif %}",
            "button_label": "See the rewards",
        },
    },
    "points-expiring": {
        "fi": {
            "subject": "{{ expiring.points }} pistettä vanhenee pian",
            "body": "Hei"
            + _HI
            + "! {{ expiring.points }} pistettäsi on käytettävissä {{ expiring.date }} asti. "
            "Käytä ne johonkin, mistä pidät.",
            "button_label": "Käytä pisteet",
        },
        "sv": {
            "subject": "{{ expiring.points }} poäng går snart ut",
            "body": "Hej" + _HI + "! {{ expiring.points }} av dina poäng kan användas till och med "
            "{{ expiring.date }}. Använd dem till något du tycker om.",
            "button_label": "Använd poängen",
        },
        "en": {
            "subject": "{{ expiring.points }} points expire soon",
            "body": "Hello"
            + _HI
            + "! {{ expiring.points }} of your points can be used until {{ expiring.date }}. "
            "Get something you like for them.",
            "button_label": "Use the points",
        },
    },
    "tier-reached": {
        "fi": {
            "subject": "Onnea" + _HI + ": tasosi on nyt {{ tier.name }}",
            "body": "Nousit tasolle {{ tier.name }}. Kiitos, että olet kanssamme.",
            "button_label": "Katso etusi",
        },
        "sv": {
            "subject": "Grattis" + _HI + ": din nivå är nu {{ tier.name }}",
            "body": "Du har nått nivån {{ tier.name }}. Tack för att du är med oss.",
            "button_label": "Se dina förmåner",
        },
        "en": {
            "subject": "Congratulations" + _HI + ": your tier is {{ tier.name }} now",
            "body": "You have reached {{ tier.name }}. Thank you for being with us.",
            "button_label": "See your benefits",
        },
    },
    "birthday-gift": {
        "fi": {
            "subject": "Hyvää syntymäpäivää" + _HI + "!",
            "body": "Onnea!{% if points > 0 %} Annoimme sinulle lahjaksi {{ points }} pistettä."
            " Ne ovat jo tililläsi.{% endif %}",
            "button_label": "Katso palkinnot",
        },
        "sv": {
            "subject": "Grattis på födelsedagen" + _HI + "!",
            "body": "Grattis!{% if points > 0 %} Vi har gett dig {{ points }} poäng i present."
            " De finns redan på ditt konto.{% endif %}",
            "button_label": "Se belöningarna",
        },
        "en": {
            "subject": "Happy birthday" + _HI + "!",
            "body": "Many happy returns!{% if points > 0 %} We have given you {{ points }} points as a present."
            " They are already yours.{% endif %}",
            "button_label": "See the rewards",
        },
    },
    "anniversary": {
        "fi": {
            "subject": "Kiitos yhteisistä vuosista" + _HI + "!",
            "body": "Liityit jäseneksi tänään {% if event.years == 1 %}vuosi sitten"
            "{% else %}{{ event.years }} vuotta sitten{% endif %}."
            "{% if points > 0 %} Kiitokseksi annoimme sinulle {{ points }} pistettä.{% endif %}",
            "button_label": "Katso pisteesi",
        },
        "sv": {
            "subject": "Tack för åren tillsammans" + _HI + "!",
            "body": "I dag för {% if event.years == 1 %}ett år{% else %}{{ event.years }} år{% endif %} sedan"
            " blev du medlem.{% if points > 0 %} Som tack har vi gett dig {{ points }} poäng.{% endif %}",
            "button_label": "Se dina poäng",
        },
        "en": {
            "subject": "Thank you for being with us" + _HI + "!",
            "body": "You joined {% if event.years == 1 %}a year{% else %}{{ event.years }} years{% endif %}"
            " ago today.{% if points > 0 %} As a thank-you we have given you {{ points }} points.{% endif %}",
            "button_label": "See your points",
        },
    },
    "challenge-nearly-done": {
        "fi": {
            "subject": "Melkein perillä" + _HI + "!",
            "body": "Haasteesta {{ event.names.fi }} on {{ event.percent }} prosenttia tehty."
            " Enää {{ event.missing }}, ja palkinto on sinun.",
            "button_label": "Katso haaste",
        },
        "sv": {
            "subject": "Nästan framme" + _HI + "!",
            "body": "Du har klarat {{ event.percent }} procent av utmaningen {{ event.names.sv }}."
            " Bara {{ event.missing }} kvar, så är belöningen din.",
            "button_label": "Se utmaningen",
        },
        "en": {
            "subject": "Nearly there" + _HI + "!",
            "body": "{{ event.percent }} percent of the challenge {{ event.names.en }} is done."
            " Only {{ event.missing }} to go, and the prize is yours.",
            "button_label": "See the challenge",
        },
    },
    "reward-affordable": {
        "fi": {
            "subject": "{{ reward.name }} voi olla sinun",
            "body": "Hei"
            + _HI
            + "! Sinulla on nyt {{ balance.available }} pistettä, ja suosikkisi {{ reward.name }}"
            " maksaa {{ reward.points }} pistettä.",
            "button_label": "Hae palkinto",
            "button_link": "{{ links.rewards }}",
        },
        "sv": {
            "subject": "{{ reward.name }} kan bli din",
            "body": "Hej"
            + _HI
            + "! Du har nu {{ balance.available }} poäng, och din favorit {{ reward.name }}"
            " kostar {{ reward.points }} poäng.",
            "button_label": "Hämta belöningen",
            "button_link": "{{ links.rewards }}",
        },
        "en": {
            "subject": "{{ reward.name }} can be yours",
            "body": "Hello" + _HI + "! You have {{ balance.available }} points now, and your favourite"
            " {{ reward.name }} costs {{ reward.points }} points.",
            "button_label": "Get the reward",
            "button_link": "{{ links.rewards }}",
        },
    },
    "replenishment": {
        "fi": {
            "subject": "Joko on aika ostaa lisää" + _HI + "?",
            "body": "Edellisestä ostoksestasi {{ activity.date }} on jo hetki. Tule käymään, kun vanha loppuu.",
            "button_label": "Katso tarjoukset",
        },
        "sv": {
            "subject": "Är det dags att köpa mer" + _HI + "?",
            "body": "Det är en stund sedan ditt senaste köp {{ activity.date }}. Titta in när det tar slut.",
            "button_label": "Se erbjudandena",
        },
        "en": {
            "subject": "Time to buy it again" + _HI + "?",
            "body": "It is a while since your last purchase on {{ activity.date }}. Come by when it runs out.",
            "button_label": "See the offers",
        },
    },
}

_SAME_WORDS = {"win-back-now": "win-back"}


def texts_of(code: str) -> Mapping[str, Said]:
    """The texts of a blueprint, by language."""
    return TEXTS[_SAME_WORDS.get(code, code)]
