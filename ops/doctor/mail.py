"""The mail server: there, secured, and willing to let Natter in."""

from kernel.settings import Settings
from ops.doctor.finding import Finding, bad, good, warning


async def check_mail(settings: Settings) -> Finding:
    """Connect and sign in, and send nothing. The settings must be valid."""
    if not settings.smtp_url:
        if settings.environment == "production":
            return warning(
                "mail", "no server is configured, so nobody is sent a letter", "Set NATTER_SMTP_URL, NATTER_MAIL_FROM."
            )
        return good("mail", "no server is configured; letters are kept on the outbox page")
    from control_plane.mail.port import Undelivered  # the mail library is slow to import
    from control_plane.mail.smtp import SmtpMailer, SmtpServer, parse_sender

    server = SmtpServer.parse(settings.smtp_url)
    try:
        await SmtpMailer(server, parse_sender(settings.mail_from)).check()
    except Undelivered as error:
        way_out = "Is it running, does it offer STARTTLS, and are user and password right? NATTER_SMTP_URL"
        return bad("mail", f"{server.shown} does not let Natter in: {error.reason}", way_out)
    return good("mail", f"{server.shown} lets Natter in; letters are from {settings.mail_from}")
