"""Programmes and their terms, codes and invitations, referrals and their steps, signals of fraud, and acquisition."""

from referrals.models.acquisition import Acquisition, AcquisitionChannel, ChannelSpend, Visit
from referrals.models.code import FormerCode, Invitation, InvitationOptOut, ReferralCode
from referrals.models.fraud import DisposableDomain, Mark, Signal, SignalKind, SignalWeight
from referrals.models.programme import MilestoneReached, ProgrammeTerms, ProgrammeUse, ReferralProgramme
from referrals.models.referral import Referral, ReferralGrant, ReferralStep

__all__ = [
    "Acquisition",
    "AcquisitionChannel",
    "ChannelSpend",
    "DisposableDomain",
    "FormerCode",
    "Invitation",
    "InvitationOptOut",
    "Mark",
    "MilestoneReached",
    "ProgrammeTerms",
    "ProgrammeUse",
    "Referral",
    "ReferralCode",
    "ReferralGrant",
    "ReferralProgramme",
    "ReferralStep",
    "Signal",
    "SignalKind",
    "SignalWeight",
    "Visit",
]
