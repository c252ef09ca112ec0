"""News of what was committed: who listens, and who follows."""

from sync.central.store.news import News, PatientChanged, TokenRevoked


def test_who_follows_hears_of_each_announcement_and_of_the_end():
    news, heard = News(), []
    news.announce([PatientChanged(3, "p0")])
    news.follow(lambda: heard.append(news.latest), lambda: heard.append("end"))
    news.announce([PatientChanged(5, "p1"), TokenRevoked("hash")])
    news.announce([PatientChanged(4, "p2")])
    news.close()
    assert heard == [5, 5, "end"]


def test_listeners_get_their_own_topic_and_only_while_they_listen():
    news, heard = News(), []
    with news.listen("p1", heard.append), news.listen("p1", heard.append):
        news.announce([PatientChanged(1, "p1"), PatientChanged(2, "p2")])
    news.announce([PatientChanged(3, "p1")])
    assert heard == [PatientChanged(1, "p1")] * 2
