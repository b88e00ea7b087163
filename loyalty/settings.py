"""Django settings, read from the environment (and ``.env``). The floors above are named by string only.

Production needs SECRET_KEY, ALLOWED_HOSTS, DATABASE_URL, REDIS_URL and EMAIL_URL; nothing secret has a default.
``KANTIS_DEMO=1`` (set by ``make demo`` and the tests) gives throw-away secrets, files for mail and plain HTTP.
"""

import logging
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import quote

import django_stubs_ext
import environ
import structlog
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from loyalty import embedded

django_stubs_ext.monkeypatch()  # lets ``ModelForm[Member]`` and the like run

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

DEMO = env.bool("KANTIS_DEMO", default=False)
KANTIS_HOME = Path(env.str("KANTIS_HOME", default=str(BASE_DIR / "var"))).absolute()
DEBUG = False

SECRET_KEY = env.str("SECRET_KEY", default="demo-only-" * 8 if DEMO else "")
if not SECRET_KEY:
    raise ImproperlyConfigured("Set SECRET_KEY (50 random characters or more); only the demo has a default.")
ALLOWED_HOSTS = env.list(
    "ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]", "testserver"] if DEMO else []
)
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
PUBLIC_URL = env.str(
    "PUBLIC_URL", default=f"http://localhost:{env.int('PORT', default=8000)}" if DEMO else ""
)
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
METRICS_TOKEN = env.str("METRICS_TOKEN", default="demo-metrics" if DEMO else "")
SITE_ID = 1

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.simple_history",
    "loyalty.apps.KantisAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "axes",
    "csp",
    "django_htmx",
    "django_celery_beat",
    "django_prometheus",
    "django_structlog",
    "health_check",
    "simple_history",
    "loyalty",
    "members",
    "rewards",
    "referrals",
    "campaigns",
    "analytics",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "loyalty.api.throttling.rate_limit_headers",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
    "loyalty.api.short_way.ApiShortWay",
    "csp.middleware.CSPMiddleware",
    "loyalty.admin_csp.AdminCSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "loyalty.api.language.english_by_default",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "loyalty.urls"
WSGI_APPLICATION = "loyalty.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# --- Stores -------------------------------------------------------------------------------------------------------
DATABASE_URL = env.str("DATABASE_URL", default="") or embedded.database_url(KANTIS_HOME)
REDIS_URL = env.str("REDIS_URL", default="") or embedded.redis_url(KANTIS_HOME)
DATABASES = {"default": env.db_url_config(DATABASE_URL)}
DATABASES["default"].update(
    ENGINE="django.db.backends.postgresql",
    ATOMIC_REQUESTS=False,
    CONN_MAX_AGE=0,
    CONN_HEALTH_CHECKS=False,
    OPTIONS={
        **DATABASES["default"].get("OPTIONS", {}),
        "pool": {"min_size": 1, "max_size": env.int("DATABASE_POOL", default=8), "timeout": 10},
        "application_name": "kantis",
    },
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {
        "BACKEND": "loyalty.cache.SoftRedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "kantis",
        "OPTIONS": {"socket_timeout": 0.3, "socket_connect_timeout": 0.3},
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.db"

# --- Workers ------------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = embedded.broker_url(REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_EXPIRES = None  # there are no results to clean up
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 600,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "health_check_interval": 15,
    "retry_on_timeout": True,
    "global_keyprefix": env.str("BROKER_PREFIX", default="kantis:"),
}
CELERY_TASK_TIME_LIMIT = 3600
CELERY_TASK_DEFAULT_QUEUE = "kantis"
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
DJANGO_CELERY_BEAT_TZ_AWARE = True

# --- People and log-in --------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "members.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "members.adapter.AccountAdapter"
ACCOUNT_FORMS = {"signup": "referrals.portal_forms.SignupForm"}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = (
    True  # only in the session that signed up: a link found later logs nobody in
)
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "http" if DEMO else "https"
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", default=0)
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_PASSKEY_SIGNUP_ENABLED = False
MFA_TOTP_ISSUER = "Kantis"
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEMO
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "username"]
AXES_USERNAME_CALLABLE = "loyalty.login_limits.person_of"
AXES_LOCKOUT_TEMPLATE = "429.html"
AXES_HTTP_RESPONSE_CODE = 429
AXES_IPWARE_PROXY_COUNT = ALLAUTH_TRUSTED_PROXY_COUNT or None
AXES_IPWARE_META_PRECEDENCE_ORDER = (
    ["HTTP_X_FORWARDED_FOR", "REMOTE_ADDR"] if ALLAUTH_TRUSTED_PROXY_COUNT else ["REMOTE_ADDR"]
)

# --- Mail ---------------------------------------------------------------------------------------------------------
EMAIL_URL = env.str(
    "EMAIL_URL", default=f"filemail:///{quote(str(KANTIS_HOME / 'mail').lstrip('/'))}" if DEMO else ""
)
vars().update(env.email_url_config(EMAIL_URL) if EMAIL_URL else {})
if DEMO and EMAIL_URL.startswith("filemail"):
    EMAIL_FILE_PATH = str(KANTIS_HOME / "mail")
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Kantis <kantis@localhost>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
UNSUBSCRIBE_MAILTO = env.str("UNSUBSCRIBE_MAILTO", default="")
KANTIS_ANYMAIL = env.str(
    "KANTIS_ANYMAIL", default=""
)  # the mail service, as django-anymail names it: "mailgun"
ANYMAIL = {
    "REQUESTS_TIMEOUT": EMAIL_TIMEOUT,
    "IGNORE_UNSUPPORTED_FEATURES": True,  # not every service keeps metadata or tags
    **{
        name.removeprefix("ANYMAIL_"): value
        for name, value in env.ENVIRON.items()
        if name.startswith("ANYMAIL_")
    },
}
if KANTIS_ANYMAIL:
    EMAIL_BACKEND = f"anymail.backends.{KANTIS_ANYMAIL}.EmailBackend"
    INSTALLED_APPS.append("anymail")

# --- Text messages, notifications and webhooks (docs/messages.md) --------------------------------------------------
OUTGOING_TIMEOUT = 10  # seconds for each step of a conversation
OUTGOING_PRIVATE_TARGETS = env.bool("OUTGOING_PRIVATE_TARGETS", default=DEMO)
SMS_GATEWAY = {
    "url": env.str("SMS_GATEWAY_URL", default=(KANTIS_HOME / "sms").as_uri() if DEMO else ""),
    "method": env.str("SMS_GATEWAY_METHOD", default="POST"),
    "headers": env.json("SMS_GATEWAY_HEADERS", default={}),
    "token": env.str("SMS_GATEWAY_TOKEN", default=""),
    "format": env.str("SMS_GATEWAY_FORMAT", default="json"),
    "body": env.json("SMS_GATEWAY_BODY", default={"to": "{to}", "text": "{text}", "reference": "{id}"}),
    "sender": env.str("SMS_GATEWAY_SENDER", default=""),
    "id_path": env.str("SMS_GATEWAY_ID_PATH", default="id"),
}
VAPID_PRIVATE_KEY = env.str("VAPID_PRIVATE_KEY", default="")
VAPID_CONTACT = env.str("VAPID_CONTACT", default=parseaddr(DEFAULT_FROM_EMAIL)[1])
MESSAGE_WEBHOOK_URL = env.str("MESSAGE_WEBHOOK_URL", default="")
MESSAGE_WEBHOOK_SECRET = env.str("MESSAGE_WEBHOOK_SECRET", default="")
MESSAGE_HOOK_SECRETS = env.dict(
    "MESSAGE_HOOK_SECRETS", default={}
)  # what may tell of bounces: "gateway=secret"

# --- Languages and places -----------------------------------------------------------------------------------------
LANGUAGE_CODE = "fi"
LANGUAGES = [("fi", _("Finnish")), ("sv", _("Swedish")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["loyalty.formats"]
USE_I18N = True
USE_TZ = True
USE_THOUSAND_SEPARATOR = True
TIME_ZONE = "Europe/Helsinki"

# --- Files --------------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = env.str("STATIC_ROOT", default=str(KANTIS_HOME / "static"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEMO
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEMO
MEDIA_ROOT = KANTIS_HOME / "media"
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

# --- Safety -------------------------------------------------------------------------------------------------------
SECURE_SSL_REDIRECT = not DEMO
SECURE_HSTS_SECONDS = 0 if DEMO else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = not DEMO
SECURE_HSTS_PRELOAD = not DEMO
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ALLAUTH_TRUSTED_PROXY_COUNT else None
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEMO
SESSION_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "worker-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
ADMIN_CSP = {"script-src": [SELF, UNSAFE_EVAL], "style-src": [SELF, UNSAFE_INLINE]}

# --- API ----------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["loyalty.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["loyalty.api.authentication.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["loyalty.api.parsing.StrictJSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["loyalty.api.throttling.ApiKeyThrottle"],
    "DEFAULT_PAGINATION_CLASS": "loyalty.api.pagination.CursorPage",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "loyalty.api.schema.KantisSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "loyalty.api.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "COERCE_DECIMAL_TO_STRING": True,
    "DATETIME_FORMAT": "iso-8601",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Kantis API",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "CampaignStatusEnum": "campaigns.models.campaign.Campaign.Status",
        "CampaignKindEnum": "campaigns.models.campaign.Campaign.Kind",
        "CampaignPurposeEnum": "campaigns.models.campaign.Campaign.Purpose",
        "MessageChannelEnum": "campaigns.models.campaign.ChannelCode",
        "MessageReasonEnum": "campaigns.models.message.Message.Reason",
        "MessageStatusEnum": "campaigns.models.message.Message.Status",
        "TriggeredStatusEnum": "campaigns.serializers.OUTCOMES",
        "DrawStateEnum": "rewards.draws.serializers.PUBLIC_STATES",
        "RefundStatusEnum": "rewards.models.refund.Refund.Status",
        "CapPeriodEnum": "rewards.models.rule.RuleRevision.Period",
        "LeaderboardPeriodEnum": "rewards.models.leaderboard.Leaderboard.Period",
        "LeaderboardBasisEnum": "rewards.models.leaderboard.Leaderboard.Basis",
        "TierBasisEnum": "rewards.models.rule.TierTerms.Basis",
        "RedemptionStateEnum": "rewards.models.redemption.Redemption.State",
        "ReferralReasonEnum": "referrals.models.referral.Referral.Reason",
        "ReferralStateEnum": "referrals.models.referral.Referral.State",
        "RewardKindEnum": "rewards.models.reward.Reward.Kind",
        "VoucherKindEnum": "rewards.models.voucher.VoucherFamily.Kind",
        "VoucherStateEnum": "rewards.models.voucher.Voucher.State",
        "VoucherUseStateEnum": "rewards.models.voucher.VoucherUse.State",
    },
}
API_IDEMPOTENCY_DAYS = 7
EVENTS_KEEP_DAYS = 90
API_RATE_PER_MINUTE = 3000
API_BATCH_LIMIT = 1000

# --- Admin --------------------------------------------------------------------------------------------------------
UNFOLD = {
    "SITE_TITLE": "Kantis",
    "SITE_HEADER": "Kantis",
    "SITE_ICON": lambda request: static("portal/icon.svg"),
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("portal/icon.svg")}
    ],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": False,
    "SHOW_LANGUAGES": True,
    "LANGUAGES": {"action": reverse_lazy("set-language")},
    "STYLES": [lambda request: static("loyalty/admin.css")],
    "SCRIPTS": [lambda request: static("loyalty/admin.js")],
    "DASHBOARD_CALLBACK": "analytics.dashboard.admin_index",
    "SIDEBAR": {
        "show_search": False,
        "command_search": False,
        "show_all_applications": False,
        "navigation": "loyalty.admin_navigation.navigation",
    },
    "ACCOUNT": {
        "navigation": [
            {"title": _("Security and second factor"), "link": reverse_lazy("mfa_index")},
        ]
    },
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "base": {
            "50": "#f6f8f6",
            "100": "#eef2ee",
            "200": "#dde3dc",
            "300": "#c3ccc5",
            "400": "#9aa8a0",
            "500": "#65746c",
            "600": "#495850",
            "700": "#37453e",
            "800": "#222d28",
            "900": "#151d1a",
            "950": "#0d1311",
        },
        "primary": {
            "50": "#eefaf5",
            "100": "#d6f2e6",
            "200": "#afe4cf",
            "300": "#7ccfb1",
            "400": "#45b38f",
            "500": "#219775",
            "600": "#12765b",
            "700": "#0b5d4b",
            "800": "#0a4a3d",
            "900": "#093d33",
            "950": "#04231e",
        },
    },
}

# --- Logs ---------------------------------------------------------------------------------------------------------
DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG
DJANGO_STRUCTLOG_CELERY_TASK_START_LOG_LEVEL = logging.DEBUG
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOG_FORMAT = env.str("LOG_FORMAT", default="console" if DEMO else "json")
_shared_processors = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso"),
]
_renderers: list[structlog.typing.Processor] = (  # tracebacks never tell local values: they are people's data
    [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
    if LOG_FORMAT == "console"
    else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "structured": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers,
            ],
            "foreign_pre_chain": _shared_processors,
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "structured"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "kantis": {"level": LOG_LEVEL},
        "django_structlog": {"level": LOG_LEVEL},
        "django.request": {"level": "ERROR"},
        "axes": {"level": "WARNING"},
    },
}
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        structlog.contextvars.merge_contextvars,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
