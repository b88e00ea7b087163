# Kantis for production: the same image serves as web, worker, beat and for one-off commands.

FROM python:3.11-slim AS packages
WORKDIR /app
COPY requirements.lock ./
RUN python -m venv /opt/kantis \
    && /opt/kantis/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements.lock

FROM python:3.11-slim
ENV PATH=/opt/kantis/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=loyalty.settings \
    KANTIS_HOME=/var/lib/kantis \
    STATIC_ROOT=/app/static
RUN useradd --system --uid 10001 --home-dir /var/lib/kantis --create-home kantis
WORKDIR /app
COPY --from=packages /opt/kantis /opt/kantis
COPY . .
# Only the paths of files matter here: the values below are used for this step and are not kept in the image.
RUN export SECRET_KEY=build ALLOWED_HOSTS=build DATABASE_URL=postgresql://build/build REDIS_URL=redis://build/0 \
    && python manage.py translations --compile \
    && python manage.py collectstatic --no-input \
    && python -m compileall -q loyalty members rewards referrals campaigns analytics
USER kantis
VOLUME /var/lib/kantis
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=3s --start-period=30s CMD \
    ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["granian", "--interface", "wsgi", "loyalty.wsgi:application", "--host", "0.0.0.0", "--port", "8000", \
     "--workers", "2", "--blocking-threads", "4", "--respawn-failed-workers", "--workers-kill-timeout", "20"]
