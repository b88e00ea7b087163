"""One spelling for each e-mail address and phone number, so that equal ones compare equal, wherever they come in."""

import phonenumbers

DEFAULT_REGION = "FI"


class InvalidPhone(ValueError):
    """Not a phone number that anybody could call."""


def normal_email(email: str) -> str:
    """The address in lower case without blanks around it; "" stays ""."""
    return email.strip().lower()


def normal_phone(phone: str, *, region: str = DEFAULT_REGION) -> str:
    """The number in E.164 (``+358401234567``); one without a country code is read as ``region``'s. "" stays "".

    Raises InvalidPhone when no such number can exist.
    """
    if not phone.strip():
        return ""
    try:
        number = phonenumbers.parse(phone, region)
    except phonenumbers.NumberParseException as error:
        raise InvalidPhone(str(error)) from error
    if not phonenumbers.is_possible_number(number):
        raise InvalidPhone("not a possible number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
