package serve

import (
	"errors"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

var someLabels = Labels{
	States: []string{"idle", "waiting"}, Kinds: []string{"gate", "listen"}, Classes: []string{"transient"}, Endings: []string{"sent", "inferred"},
	Credentials: []string{"passed", "unknown"},
}

func help(name string) string { return "meaning of " + name }

// shown is what /metrics shows, by the names of the metrics without their labels' other values.
func shown(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler(slog.New(slog.DiscardHandler)).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestMetricsShowWhatIsSoAndWhatHappened(t *testing.T) {
	now := Facts{
		State: "waiting", Stalled: true, Problems: map[string]int{"gate": 2}, Queued: Count{3, 300}, Quarantined: Count{1, 10}, Unsettled: 4, Inferred: 5,
		Oldest: time.UnixMilli(1_800_000_000_500), Transfers: 32, Active: 2, Credential: "unknown", Journal: 65536,
	}
	m := NewMetrics(Build{"1.2.3", "abc", "go1"}, someLabels, func() (Facts, error) { return now, nil }, help)
	m.Attempt(20*time.Millisecond, "")
	m.Attempt(2*time.Second, "transient")
	m.Retry("transient")
	m.File("sent", 100, 3*time.Second)
	m.File("inferred", 7, time.Hour) // nobody knows when it arrived
	m.Left(150)
	text := shown(t, m)
	for _, line := range []string{
		`buzon_state{state="idle"} 0`, `buzon_state{state="waiting"} 1`, `buzon_stalled 1`, `buzon_problems{kind="gate"} 2`, `buzon_problems{kind="listen"} 0`,
		`buzon_queue_files 3`, `buzon_queue_bytes 300`, `buzon_queue_oldest_timestamp_seconds 1.8000000005e+09`, `buzon_quarantine_files 1`,
		`buzon_quarantine_bytes 10`, `buzon_unsettled_files 4`, `buzon_inferred_receipts 5`, `buzon_transfers_active 2`, `buzon_transfers_limit 32`,
		`buzon_gate_open 0`, `buzon_credential_state{state="passed"} 0`, `buzon_credential_state{state="unknown"} 1`, `buzon_journal_size_bytes 65536`,
		`buzon_files_total{outcome="sent"} 1`, `buzon_files_total{outcome="inferred"} 1`, `buzon_file_bytes_total{outcome="sent"} 100`,
		`buzon_transmitted_bytes_total 150`, `buzon_attempt_duration_seconds_count{result="success"} 1`, `buzon_attempt_duration_seconds_bucket{result="failure",le="1"} 0`,
		`buzon_attempt_duration_seconds_bucket{result="failure",le="2.5"} 1`, `buzon_delivery_duration_seconds_count 1`, `buzon_retries_total{class="transient"} 1`,
		`buzon_build_info{commit="abc",go="go1",version="1.2.3"} 1`,
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("it doesn't say %s", line)
		}
	}
	// What isn't known isn't 0.
	for _, absent := range []string{"buzon_last_sent_timestamp_seconds ", "buzon_credential_file_modified_timestamp_seconds "} {
		if strings.Contains(text, "\n"+absent) {
			t.Errorf("it says %s", absent)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// TestWhatCantBeHadIsNoZero: with the journal in trouble the facts are missing, and the rest is there.
func TestWhatCantBeHadIsNoZero(t *testing.T) {
	m := NewMetrics(Build{}, someLabels, func() (Facts, error) { return Facts{}, errors.New("damaged") }, help)
	if text := shown(t, m); strings.Contains(text, "\nbuzon_queue_files ") || !strings.Contains(text, "\nbuzon_transmitted_bytes_total 0\n") {
		t.Error(text)
	}
}

// TestMetricsFollowTheConventions of names and units, and are those that are described.
func TestMetricsFollowTheConventions(t *testing.T) {
	at := time.Unix(1, 0)
	m := NewMetrics(Build{}, someLabels, func() (Facts, error) { return Facts{Oldest: at, KeyChanged: at, LastSent: at}, nil }, help)
	text := shown(t, m)
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "buzon_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	described := Described()
	for name, family := range families {
		if !strings.HasPrefix(name, "buzon_") {
			continue
		}
		i := slices.IndexFunc(described, func(m Metric) bool { return m.Name == name })
		if i < 0 {
			t.Errorf("%s is not described", name)
			continue
		}
		if kind := strings.ToLower(family.GetType().String()); kind != described[i].Type {
			t.Errorf("%s is a %s, described as a %s", name, kind, described[i].Type)
		}
		if family.GetHelp() != help(name) {
			t.Errorf("%s means %q", name, family.GetHelp())
		}
		label := ""
		if labels := family.GetMetric()[0].GetLabel(); len(labels) == 1 {
			label = labels[0].GetName()
		}
		if name != "buzon_build_info" && label != described[i].Label {
			t.Errorf("%s has the label %q, described as %q", name, label, described[i].Label)
		}
	}
	for _, d := range described {
		if families[d.Name] == nil {
			t.Errorf("%s is described, and not there", d.Name)
		}
	}
}
