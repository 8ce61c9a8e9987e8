"""A burst through Exchange Online's client submission, whose limits refuse whoever passes them: nothing is refused."""

from __future__ import annotations

from collections import Counter

import trustme

from net.tls_peers import pem_of
from standins.submission import Limits, Submission
from support.house import MakeHouse, wait_for

MINUTE, ON_THE_WAY = 6.0, 1.0
SCANNER, BOB = "scanner@contoso.test", "bob@fabrikam.test"
MAILBOXES = (SCANNER, "scanner-2@contoso.test")
BURST = 90


def test_two_mailboxes_share_a_burst_and_neither_passes_its_limits(house: MakeHouse) -> None:
    authority = trustme.CA()
    limits = Limits(minute=MINUTE - ON_THE_WAY, refuses_fast=True)
    with Submission(authority, host="submission.test", limits=limits) as submission:
        for address in MAILBOXES:
            submission.mailbox(address, "pa55~word", send_as={SCANNER})
        credentials = "".join(
            f'[[credential]]\nname = "{address}"\nkind = "password"\nuser = "{address}"\nsecret_env = "PASSWORD"\n'
            "throttle = { messages_per_minute = 30, recipients_per_day = 10000, connections = 3 }\n"
            for address in MAILBOXES
        )
        relay = house(
            f"trusted_roots = ['''{pem_of(authority)}''']\n"
            '[[accepted_domain]]\nname = "contoso.test"\n'
            '[[inbound_connector]]\nname = "Devices"\nconnector_type = "OnPremises"\n'
            f'sender_ip_addresses = ["127.0.0.0/8"]\n{credentials}'
            '[[outbound_connector]]\nname = "Submission"\nrecipient_domains = ["*"]\nsmart_hosts = ["127.0.0.1"]\n'
            f'port = {submission.port}\ntls_settings = "DomainValidation"\ntls_domain = "submission.test"\n'
            f"credential = {list(MAILBOXES)}\n",
        )
        relay.patch(f"from posthouse.relay import limits\nlimits.MINUTE = {MINUTE}")
        relay.apply(PASSWORD="pa55~word")
        relay.start()
        with relay.smtp("127.0.0.9") as client:
            for number in range(BURST):
                client.sendmail(SCANNER, BOB, f"From: {SCANNER}\r\nSubject: {number}\r\n\r\nA page\r\n")
        wait_for(lambda: len(submission.submitted) >= BURST, 60, "the whole burst")
        assert len(submission.mails_to(BOB)) == BURST
        assert not submission.refusals
        shares = Counter(mail.mailbox for mail in submission.submitted)
        assert min(shares[address] for address in MAILBOXES) >= BURST / 4
        assert max(submission.mailboxes[address].most_connections for address in MAILBOXES) <= 3
