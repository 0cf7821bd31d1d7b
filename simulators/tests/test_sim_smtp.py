import smtplib
import ssl
from email.message import EmailMessage

import pytest
from cloudmarker_simulators import SMTPFault, SMTPSimulator


def message(text="hello\n"):
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@example.com", "b@example.com", "Hi"
    mail.set_content(text)
    return mail


def client(simulator, **options):
    settings = simulator.settings
    context = ssl.create_default_context(cafile=settings.get("ca_cert"))
    address = settings["host"], int(settings["port"])
    if settings["ssl_mode"] == "ssl":
        return smtplib.SMTP_SSL(*address, timeout=10, context=context, **options)
    smtp = smtplib.SMTP(*address, timeout=10, **options)
    if settings["ssl_mode"] == "starttls":
        smtp.starttls(context=context)
    return smtp


@pytest.mark.parametrize("login", [False, True])
@pytest.mark.parametrize("ssl_mode", ["ssl", "starttls", "disable"])
def test_mail_arrives_in_every_mode(ssl_mode, login):
    with SMTPSimulator(ssl_mode=ssl_mode, login=login) as simulator, client(simulator) as smtp:
        if login:
            smtp.login(simulator.settings["username"], simulator.settings["password"])
        smtp.send_message(message())
    (mail,) = simulator.mails
    assert (mail.sender, mail.recipients) == ("a@example.com", ("b@example.com",))
    assert mail.message.get_content() == "hello\n"
    assert mail.user == ("mailer" if login else "")


def test_without_a_login_that_is_required_nothing_is_taken():
    with (
        SMTPSimulator(login=True) as simulator,
        client(simulator) as smtp,
        pytest.raises(smtplib.SMTPResponseException) as caught,
    ):
        smtp.send_message(message())
    assert caught.value.smtp_code == 530
    assert simulator.mails == []


def test_a_wrong_password_is_refused():
    with (
        SMTPSimulator(login=True) as simulator,
        client(simulator) as smtp,
        pytest.raises(smtplib.SMTPAuthenticationError),
    ):
        smtp.login("mailer", "wrong")


def test_the_size_is_announced_and_enforced():
    with (
        SMTPSimulator(max_bytes=1000) as simulator,
        client(simulator) as smtp,
        pytest.raises(smtplib.SMTPSenderRefused) as caught,
    ):
        smtp.send_message(message("x" * 2000))
    assert caught.value.smtp_code == 552


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ("MAIL", smtplib.SMTPSenderRefused),
        ("RCPT", smtplib.SMTPRecipientsRefused),
        ("DATA", smtplib.SMTPDataError),
    ],
)
def test_a_fault_answers_as_often_as_it_is_told(step, error):
    faults = [SMTPFault(step, reply="451 later", times=1)]
    with SMTPSimulator(faults=faults) as simulator, client(simulator) as smtp:
        with pytest.raises(error):
            smtp.send_message(message())
        smtp.send_message(message())
    assert len(simulator.mails) == 1
    assert faults[0].hits == 1


def test_a_fault_may_be_of_one_recipient():
    with SMTPSimulator(faults=[SMTPFault("RCPT", "no*", "550 unknown")]) as simulator, client(simulator) as smtp:
        refused = smtp.send_message(message(), to_addrs=["yes@example.com", "no@example.com"])
    assert refused == {"no@example.com": (550, b"unknown")}
    assert simulator.mails[0].recipients == ("yes@example.com",)


def test_a_connection_may_be_refused_or_cut():
    with SMTPSimulator(faults=[SMTPFault("CONNECT", reply="421 busy", times=1)]) as simulator:
        with pytest.raises(smtplib.SMTPConnectError):
            client(simulator)
        client(simulator).quit()
        assert simulator.connections == 2
    with (
        SMTPSimulator(faults=[SMTPFault("DATA", drop=True, keep=True)]) as simulator,
        client(simulator) as smtp,
        pytest.raises(smtplib.SMTPServerDisconnected),
    ):
        smtp.send_message(message())
    assert len(simulator.mails) == 1


def test_messages_are_kept_as_files_that_only_their_owner_can_read(tmp_path):
    folder = tmp_path / "mail"
    for _ in range(2):
        with SMTPSimulator(keep=folder) as simulator, client(simulator) as smtp:
            smtp.send_message(message())
    assert sorted(path.name for path in folder.iterdir()) == ["0001.eml", "0002.eml"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_a_step_that_there_is_not_is_an_error():
    with pytest.raises(ValueError, match="unknown step 'QUIT'"):
        SMTPFault("QUIT")
