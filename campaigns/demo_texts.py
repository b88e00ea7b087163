"""What the demo's own campaigns say, by code, variant and language."""

from collections.abc import Mapping

_HI = "{% if member.first_name %}, {{ member.first_name }}{% endif %}"

NAMES: Mapping[str, Mapping[str, str]] = {
    "cafe-weeks": {"fi": "Kahvilaviikot", "sv": "Caféveckor", "en": "Café weeks"},
    "month-in-points": {"fi": "Kuukauden pisteet", "sv": "Månadens poäng", "en": "The month in points"},
    "new-in-the-portal": {"fi": "Uutta portaalissa", "sv": "Nytt i portalen", "en": "New in the portal"},
    "table-ready": {"fi": "Pöytä on valmis", "sv": "Bordet är klart", "en": "Table ready"},
    "members-evening": {"fi": "Jäsenten ilta", "sv": "Medlemskväll", "en": "Members' evening"},
}

Said = Mapping[str, str]

TEXTS: Mapping[str, Mapping[str, Mapping[str, Said]]] = {
    "cafe-weeks": {
        "A": {
            "fi": {
                "subject": "Kahvilaviikot ovat alkaneet",
                "preheader": "Kahden viikon ajan tuoretta ja tuoksuvaa.",
                "body": "Hei"
                + _HI
                + "!\n\nKahden viikon ajan kahviloissamme tuoksuu tavallistakin paremmalta: "
                "uusia paahtoja, korvapuusteja uunista ja lounaskeittoja.\n\n"
                "Kahvirahaksi saat heti {{ points }} pistettä."
                " Tule maistamaan, pöytä on valmiina.",
                "button_label": "Katso palkinnot",
            },
            "sv": {
                "subject": "Caféveckorna har börjat",
                "preheader": "Två veckor med nybakat och nyrostat.",
                "body": "Hej"
                + _HI
                + "!\n\nI två veckor doftar det ännu godare på våra caféer: nya rostningar, "
                "kanelbullar ur ugnen och lunchsoppor.\n\nDu får {{ points }} poäng på köpet."
                " Kom och smaka, bordet är dukat.",
                "button_label": "Se belöningarna",
            },
            "en": {
                "subject": "The café weeks have begun",
                "preheader": "Two weeks of fresh roasts and warm buns.",
                "body": "Hello"
                + _HI
                + "!\n\nFor two weeks our cafés smell even better than usual: new roasts, buns "
                "from the oven and soups for lunch.\n\nHere are {{ points }} points to start with."
                " Come and taste, there is a table for you.",
                "button_label": "See the rewards",
            },
        },
        "B": {
            "fi": {
                "subject": "Sinulla on {{ balance.available }} pistettä kahvilaan",
                "preheader": "Kahvilaviikot: pisteillä kahvia ja pullaa.",
                "body": "Hei"
                + _HI
                + "!\n\nPisteitäsi on {{ balance.available }}, ja kahvilaviikoilla ne maistuvat "
                "parhaimmilta: {% if reward.name %}esimerkiksi {{ reward.name }}, {% endif %}uusia paahtoja ja "
                "lounaskeittoja.\n\nLisäksi saat heti {{ points }} pistettä. Näytä korttisi kassalla.",
                "button_label": "Käytä pisteesi",
            },
            "sv": {
                "subject": "Du har {{ balance.available }} poäng att fika för",
                "preheader": "Caféveckor: kaffe och bulle för poäng.",
                "body": "Hej"
                + _HI
                + "!\n\nDu har {{ balance.available }} poäng, och under caféveckorna smakar de "
                "som bäst: {% if reward.name %}till exempel {{ reward.name }}, {% endif %}nya rostningar och "
                "lunchsoppor.\n\nDu får {{ points }} poäng till på köpet. Visa ditt kort i kassan.",
                "button_label": "Använd poängen",
            },
            "en": {
                "subject": "{{ balance.available }} points wait for you at the café",
                "preheader": "Café weeks: coffee and a bun for points.",
                "body": "Hello"
                + _HI
                + "!\n\nYou have {{ balance.available }} points, and they taste best in the café "
                "weeks: {% if reward.name %}{{ reward.name }}, for example, {% endif %}new roasts and soups for "
                "lunch.\n\n{{ points }} more are yours already. Show your card at the till.",
                "button_label": "Use your points",
            },
        },
    },
    "month-in-points": {
        "A": {
            "fi": {
                "subject": "Kuukauden pisteesi: {{ balance.available }}",
                "body": "Käytettävissäsi on {{ balance.available }} pistettä, tasosi on {{ tier.name }}."
                "{% if tier.next_name %} Tasolle {{ tier.next_name }} puuttuu {{ tier.missing }}.{% endif %}"
                "{% if expiring.date %}\n\nSeuraavaksi vanhenee {{ expiring.points }} pistettä "
                "{{ expiring.date }}.{% endif %}",
                "button_label": "Katso tapahtumat",
            },
            "sv": {
                "subject": "Månadens poäng: {{ balance.available }}",
                "body": "Du har {{ balance.available }} poäng att använda, din nivå är {{ tier.name }}."
                "{% if tier.next_name %} Till {{ tier.next_name }} fattas {{ tier.missing }}.{% endif %}"
                "{% if expiring.date %}\n\nHärnäst går {{ expiring.points }} poäng ut "
                "{{ expiring.date }}.{% endif %}",
                "button_label": "Se händelserna",
            },
            "en": {
                "subject": "Your month in points: {{ balance.available }}",
                "body": "You have {{ balance.available }} points to use, and your tier is {{ tier.name }}."
                "{% if tier.next_name %} {{ tier.missing }} more, and it is {{ tier.next_name }}.{% endif %}"
                "{% if expiring.date %}\n\n{{ expiring.points }} points expire next, on "
                "{{ expiring.date }}.{% endif %}",
                "button_label": "See the activity",
            },
        },
    },
    "new-in-the-portal": {
        "A": {
            "fi": {
                "subject": "Uutta portaalissa: haasteet ja arvonnat",
                "body": "Portaalissa on nyt haasteita, joista saa pisteitä ja merkkejä, ja arvontoja, joissa voitot "
                "arvotaan kaikkien nähden.\n\nLiity haasteeseen yhdellä napautuksella.",
                "button_label": "Avaa portaali",
            },
            "sv": {
                "subject": "Nytt i portalen: utmaningar och lotterier",
                "body": "I portalen finns nu utmaningar som ger poäng och märken, och lotterier där vinsterna dras "
                "inför allas ögon.\n\nDu är med i en utmaning med ett tryck.",
                "button_label": "Öppna portalen",
            },
            "en": {
                "subject": "New in the portal: challenges and draws",
                "body": "The portal now has challenges that bring points and badges, and draws whose winners are "
                "drawn for everybody to see.\n\nJoin a challenge with one tap.",
                "button_label": "Open the portal",
            },
        },
    },
    "table-ready": {
        "A": {
            "fi": {
                "subject": "Pöytäsi on valmis",
                "body": "Tervetuloa! Pöytä on katettu: {{ event.reference }}.",
            },
            "sv": {
                "subject": "Ditt bord är klart",
                "body": "Välkommen! Bordet är dukat: {{ event.reference }}.",
            },
            "en": {
                "subject": "Your table is ready",
                "body": "Welcome! The table is laid: {{ event.reference }}.",
            },
        },
    },
    "members-evening": {
        "A": {
            "fi": {
                "subject": "Tervetuloa jäsenten iltaan" + _HI,
                "preheader": "Maistiaisia, musiikkia ja tuplapisteet klo 17–20.",
                "body": "Ensi viikon torstaina kauppamme ovat illan vain jäsenille: maistiaisia, musiikkia ja "
                "tuplapisteet klo 17–20.\n\nOta ystävä mukaan.",
                "button_label": "Lue lisää",
            },
            "sv": {
                "subject": "Välkommen till medlemskvällen" + _HI,
                "preheader": "Smakprov, musik och dubbla poäng kl. 17–20.",
                "body": "På torsdag nästa vecka är butikerna öppna bara för medlemmar: smakprov, musik och dubbla "
                "poäng kl. 17–20.\n\nTa med en vän.",
                "button_label": "Läs mer",
            },
            "en": {
                "subject": "Come to the members' evening" + _HI,
                "preheader": "Tastings, music and double points from 5 to 8.",
                "body": "On Thursday next week our shops are for members only: tastings, music and double points "
                "from 5 to 8 in the evening.\n\nBring a friend.",
                "button_label": "Read more",
            },
        },
    },
    "win-back": {
        "B": {
            "fi": {
                "subject": "Pisteesi odottavat sinua" + _HI,
                "preheader": "Sinulla on {{ balance.available }} pistettä.",
                "body": "Emme ole nähneet sinua hetkeen. Pisteitäsi on {{ balance.available }}, ja ne ovat tallessa."
                "{% if reward.name %}\n\nNiillä saa vaikka: {{ reward.name }}.{% endif %}",
                "button_label": "Katso palkinnot",
            },
            "sv": {
                "subject": "Dina poäng väntar på dig" + _HI,
                "preheader": "Du har {{ balance.available }} poäng.",
                "body": "Vi har inte sett dig på ett tag. Du har {{ balance.available }} poäng, och de finns kvar."
                "{% if reward.name %}\n\nFör dem får du till exempel: {{ reward.name }}.{% endif %}",
                "button_label": "Se belöningarna",
            },
            "en": {
                "subject": "Your points are waiting" + _HI,
                "preheader": "You have {{ balance.available }} points.",
                "body": "We have not seen you for a while. You have {{ balance.available }} points, and they are safe."
                "{% if reward.name %}\n\nThey could become: {{ reward.name }}.{% endif %}",
                "button_label": "See the rewards",
            },
        },
    },
}
