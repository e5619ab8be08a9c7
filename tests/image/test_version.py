from image import pipeline


def test_a_later_commit_makes_a_later_version() -> None:
    assert pipeline.version_at(1767225600) == "20260101.000000"
    assert pipeline.version_at(1767225600) < pipeline.version_at(1767225601)
