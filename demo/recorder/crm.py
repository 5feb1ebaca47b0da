"""What the tools work on: a CRM, a shop and a handbook, all in memory. Nothing here knows of telemetry."""


class Crm:
    """48,211 customers, of which a migration marked 1,206 as duplicates of others."""

    def __init__(self):
        duplicate = lambda number: number % 40 == 0 or number == 48211
        self.customers = [
            {"id": number, "duplicate_of": number - 39 if duplicate(number) else None} for number in range(1, 48212)
        ]
        self.export_runs = [
            {"night": "2026-11-18", "rows": 48211, "distinct": 47005},
            {"night": "2026-11-19", "rows": 48211, "distinct": 47005},
        ]

    def query(self, table, where):
        rows = getattr(self, table)
        if where == "duplicate_of IS NOT NULL":
            rows = [row for row in rows if row["duplicate_of"] is not None]
        return {"table": table, "count": len(rows), "sample": rows[:2]}

    def delete(self, table, where):
        assert (table, where) == ("customers", "duplicate_of IS NOT NULL")
        before = len(self.customers)
        self.customers = [row for row in self.customers if row["duplicate_of"] is None]
        return {"deleted": before - len(self.customers)}


POLICY = [
    {"id": "kb:refunds#2", "score": 0.91, "text": "Damaged items may be refunded in full within 30 days."},
    {"id": "kb:refunds#5", "score": 0.55, "text": "Every refund needs the approval of a person."},
]

RUNBOOK = [
    {"id": "runbook:nightly-export#4", "score": 0.88, "text": "The export reads customers without the merge view."},
    {"id": "runbook:crm#maintenance", "score": 0.71, "text": "A maintenance window opens a direct connection."},
]

HANDBOOK = [
    {"id": "handbook:vpn#1", "score": 0.83, "text": "Install the client, then sign in with your key."},
    {"id": "handbook:leave#3", "score": 0.42, "text": "Ask for leave two weeks ahead."},
]


def order(order_id):
    return {"order_id": order_id, "status": "delivered", "total": 20.0 + int(order_id[-2:]), "currency": "EUR"}


def page(url):
    return {"url": url, "title": url.rsplit("/", 1)[-1], "text": "Two screens of text, shortened for this page."}
