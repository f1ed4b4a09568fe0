from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.conftest import tiny, tiny_physical

from dynaphase import recommend
from dynaphase.campaign import Campaign
from dynaphase.errors import CampaignError
from dynaphase.probabilities import probability_beats
from dynaphase.records import Candidate, Record, RecordStatus
from dynaphase.report import evidence as evidence_module
from dynaphase.report import write_report
from dynaphase.report.answer import find_answer
from dynaphase.report.evidence import BOX, CERAMIC, SCORE, Evidence, gather
from dynaphase.report.formats import conductivity, decimals, formula_html, percent, score
from dynaphase.report.foundation import find_foundation
from dynaphase.report.page import render
from dynaphase.store import Store

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Checks nesting and collects what a page holds."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.open, self.tags = text, [], []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def prose(self) -> str:
        return " ".join("".join(self.words).split())

    def values(self, name: str) -> list[str]:
        return [attributes[name] or "" for _, attributes in self.tags if name in attributes]


@pytest.fixture(autouse=True)
def _coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_module, "N_PER_AXIS", 11)
    monkeypatch.setattr(recommend, "N_PER_AXIS", 13)


@pytest.fixture(scope="module")
def once() -> dict[str, object]:
    return {}


@pytest.fixture
def evidence(finished: Path, once: dict[str, object]) -> Evidence:
    if "evidence" not in once:
        once["evidence"] = gather(Campaign.open(finished))
    found = once["evidence"]
    assert isinstance(found, Evidence)
    return found


@pytest.fixture
def page(evidence: Evidence, once: dict[str, object]) -> Page:
    if "page" not in once:
        once["page"] = Page(render(evidence, NOW))
    found = once["page"]
    assert isinstance(found, Page)
    return found


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "copy"))


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made but not drawn: seconds saved where only the words matter."""
    monkeypatch.setattr("dynaphase.report.style._embedded", lambda *_: "data:image/png;base64,")


@pytest.fixture
def run_tiny(tmp_path: Path) -> Callable[..., Campaign]:
    def make(**changes: object) -> Campaign:
        campaign = Campaign.create(tmp_path / "campaign", config=tiny(**changes))
        campaign.run(executor="serial")
        return campaign

    return make


class TestAFinishedCampaign:
    def test_the_page_is_whole_and_needs_nothing_else(self, page: Page) -> None:
        tags = {tag for tag, _ in page.tags}
        assert not tags & {"script", "link", "iframe", "object", "embed"}
        assert all(source.startswith("data:image/") for source in page.values("src"))
        assert all(re.match(r"#\w|https://doi\.org/10\.", target) for target in page.values("href"))
        assert "url(" not in page.text
        assert "@import" not in page.text
        assert len(page.text) < 3_000_000

    def test_every_picture_is_described_and_every_place_exists_once(self, page: Page) -> None:
        pictures = [attributes for tag, attributes in page.tags if tag == "img"]
        assert len(pictures) >= 20
        assert all(len(attributes.get("alt") or "") > 20 for attributes in pictures)
        ids = page.values("id")
        assert len(ids) == len(set(ids))
        assert {target[1:] for target in page.values("href") if target.startswith("#")} <= set(ids)

    def test_sections_come_in_the_order_in_which_they_matter(self, page: Page) -> None:
        wanted = ["recommended", "maps", "front", "accuracy", "elements", "gallery", "foundation"]
        assert [i for i in page.values("id") if i in wanted] == wanted

    def test_the_answer_and_the_table_hold_the_recommendations(self, page: Page, evidence: Evidence) -> None:
        assert len(evidence.recommended) == 5
        for item in evidence.recommended:
            assert formula_html(item.formula) in page.text
            assert score(item.predictions[SCORE]["mean"]) in page.prose
            for name in (BOX, CERAMIC):
                assert conductivity(item.predictions[name]["mean"]) in page.prose
        answer = find_answer(evidence)
        assert answer is not None
        head = page.text[: page.text.index('class="tiles"')]
        assert formula_html(answer.forecast.formula) in head
        assert conductivity(answer.forecast.predictions[CERAMIC]["mean"]) in head

    def test_the_reference_is_quoted_as_it_was_simulated(self, page: Page, evidence: Evidence) -> None:
        frame = evidence.campaign.frame()
        row = frame[frame["role"] == "reference"].iloc[0]
        assert f"reference, simulated: {score(row[SCORE])}" in page.prose
        assert f"reference, simulated: {conductivity(row[CERAMIC])}" in page.prose

    def test_accuracy_is_the_campaigns_own_and_has_its_n(self, page: Page, evidence: Evidence) -> None:
        for target in evidence.campaign.assessments()[-1]["accuracy"].values():
            low, high = target["r_interval_95"]
            assert f"r = {decimals(target['r'])} [{decimals(low)}, {decimals(high)}]" in page.prose
        assert "on 6 simulations that the surrogate never saw" in page.prose

    def test_it_says_what_the_paper_model_is_and_why_it_stopped(self, page: Page) -> None:
        assert "Do not rank real materials by this." in page.prose
        assert "It stopped because its budget is used up" in page.prose
        assert not re.search("fell back|simulations failed|not in the campaign directory", page.prose)

    def test_what_it_rests_on_is_listed(self, page: Page, evidence: Evidence) -> None:
        material = evidence.system.material(evidence.system.reference)
        assert f"All {len(material.parameters)} parameters" in page.prose
        for status in ("measured", "derived", "quoted", "closure", "numerical"):
            n = sum(p.status.value == status for p in material.parameters.values())
            assert f"{n} {status}" in page.prose
        assert "https://doi.org/10.1021/acsami.8b00842" in page.values("href")
        assert "@article{numpy," in page.prose
        assert "[design]" in page.prose

    def test_the_same_campaign_gives_the_same_page(self, page: Page, finished: Path) -> None:
        assert render(gather(Campaign.open(finished)), NOW) == page.text


@pytest.mark.usefixtures("undrawn")
def test_a_recommendation_that_was_simulated_shows_both(evidence: Evidence) -> None:
    point = next(point for point in evidence.points if point.role == "confirmation")
    again = replace(evidence)
    [item] = evidence.campaign.predict([point.formula])
    vars(again)["recommended"] = [item]
    page = Page(render(again, NOW))
    for name, write in ((SCORE, score), (BOX, conductivity), (CERAMIC, conductivity)):
        assert write(item.predictions[name]["mean"]) in page.prose
        assert f"simulated {write(point.values[name])}" in page.prose
        assert f"this one, simulated: {write(point.values[name])}" in page.prose
    assert f"simulated to confirm, it gave {score(point.values[SCORE])}" in page.prose


def test_the_head_and_the_table_say_the_same_of_the_reference(evidence: Evidence, page: Page) -> None:
    answer = find_answer(evidence)
    assert answer is not None
    assert evidence.learned is not None
    of_forecast = answer.forecast.probability_beats_reference
    assert of_forecast is not None
    assert {name: answer.probabilities[name] for name in of_forecast} == pytest.approx(dict(of_forecast), abs=1e-9)
    assert answer.probability_of_both == answer.probabilities["both"]
    most = max(item.probability_beats_reference["both"] for item in evidence.recommended)  # type: ignore[index]
    assert answer.probability_of_both == pytest.approx(most, abs=0.011)
    [box] = probability_beats(evidence.learned, evidence.system.reference, [answer.forecast.composition], [BOX])
    for name, p in ((SCORE, of_forecast[SCORE]), (CERAMIC, of_forecast[CERAMIC]), (BOX, box[BOX])):
        assert f"probability of beating the reference: {percent(p)}" in page.prose, name


@pytest.mark.usefixtures("undrawn")
def test_failures_missing_fields_and_fallback_fits_are_named(copy: Path) -> None:
    store = Store(copy)
    known = next(iter(store.records().values())).candidate
    candidate = Candidate(known.composition, 999_999, known.system, known.model, dict(known.settings))
    store.add(Record(candidate, RecordStatus.FAILED, "LiGe2(PO4)3", reason="the field became <NaN>"))
    store.close()
    shutil.rmtree(copy / "fields")
    evidence = gather(Campaign.open(copy))
    assert evidence.learned is not None
    fit = evidence.learned.assessment["fit"] | {
        SCORE: {"rung": "linear", "message": "optimised: did not converge", "is_fallback": True}
    }
    learned = replace(evidence.learned, assessment=evidence.learned.assessment | {"fit": fit})
    page = Page(render(replace(evidence, learned=learned), NOW))
    n = len(evidence.records)
    assert f"1 of {n} simulations failed" in page.prose
    assert "1 × the field became <NaN>." in page.prose
    assert "fell back to linear (optimised: did not converge)" in page.prose
    assert "are not in the campaign directory" in page.prose


@pytest.mark.usefixtures("undrawn")
def test_a_campaign_on_the_line_without_active_learning(run_tiny: Callable[..., Campaign]) -> None:
    campaign = run_tiny(
        space={"sampler": "line"}, rounds={"batch": 3, "n_pool": 64, "n_confirm": 1}, stop={"r": 0.9999, "budget": 18}
    )
    page = Page(write_report(campaign).read_text(encoding="utf-8"))
    assert "There was no round of active learning" in page.prose
    assert "the elements trade in fixed proportion" in page.prose
    assert "published conductivities" in page.prose


@pytest.mark.usefixtures("undrawn")
def test_the_page_says_which_ceramic_and_what_its_conductivity_rests_on(
    finished_physical: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"fidelity": "eikonal", "ceramic_grain_size_nm": 5000.0}
    coarse = replace(gather(Campaign.open(finished_physical)), config=tiny_physical(settings=settings))
    prose = Page(render(coarse, NOW)).prose
    assert "ceramic of 5 µm grains" in prose
    assert "1 µm" not in prose
    assert "Its conductivities rest on measurements" in prose
    found = replace(find_foundation(coarse), conductivity_status="closure")
    monkeypatch.setattr("dynaphase.report.page.find_foundation", lambda _: found)
    assert "Its conductivities do not rest on measurements (their status is closure)" in Page(render(coarse, NOW)).prose


@pytest.mark.usefixtures("undrawn")
def test_a_campaign_over_the_whole_triangle(run_tiny: Callable[..., Campaign]) -> None:
    campaign = run_tiny(space={"sampler": "simplex"}, stop={"r": 0.9999, "budget": 20})
    page = Page(write_report(campaign).read_text(encoding="utf-8"))
    assert sum(text.startswith("Ternary map") for text in page.values("alt")) == 4
    assert "zoomed to the region" not in page.prose
    assert "published conductivities" not in page.prose


@pytest.mark.usefixtures("undrawn")
def test_too_few_simulations_still_make_a_report(finished: Path, tmp_path: Path) -> None:
    campaign = Campaign.create(tmp_path / "few", config=tiny())
    source, store = Store(finished, is_read_only=True), Store(campaign.directory)
    store.log("planned", source.events("planned")[0].content)
    for record in list(source.records().values())[:2]:
        store.add(record)
    store.close()
    source.close()
    page = Page(write_report(campaign).read_text(encoding="utf-8"))
    assert "No recommendation can be made yet" in page.prose
    assert "Maps need a surrogate" in page.prose
    assert "It is not finished and can go on." in page.prose


def test_a_campaign_that_never_ran_has_no_report(tmp_path: Path) -> None:
    campaign = Campaign.create(tmp_path / "new", config=tiny())
    with pytest.raises(CampaignError, match=r"nothing was simulated .*dynaphase run"):
        write_report(campaign)
    (campaign.directory / "records.sqlite").unlink()
    with pytest.raises(CampaignError, match="nothing was simulated"):
        write_report(campaign)


class TestWriting:
    @pytest.fixture(autouse=True)
    def _short(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("dynaphase.report.page.render", lambda evidence, now: "<p>σ</p>")
        monkeypatch.setattr("dynaphase.report.page.gather", lambda campaign: None)

    def test_it_goes_into_the_campaign_unless_told_otherwise(self, copy: Path, tmp_path: Path) -> None:
        campaign = Campaign.open(copy)
        assert write_report(campaign) == copy / "report.html"
        assert write_report(campaign, tmp_path / "other.html").read_text(encoding="utf-8") == "<p>σ</p>"
        assert not list(copy.glob(".*"))

    @pytest.mark.parametrize("place", ["missing/report.html", "folder"])
    def test_a_file_that_cannot_be_written_is_explained(self, copy: Path, tmp_path: Path, place: str) -> None:
        (tmp_path / "folder").mkdir()
        with pytest.raises(CampaignError, match=r"cannot be written .*-o FILE\.html"):
            write_report(Campaign.open(copy), tmp_path / place)
        assert not list(tmp_path.glob(".*"))


def test_importing_the_report_is_light() -> None:
    code = "import sys, dynaphase.report; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"matplotlib", "jinja2", "torch", "statsmodels", "pandas"} & set(loaded)
