// Package monitoring holds the alert rules and the dashboard of docs/monitoring to
// Prometheus's own parsers, and to the metrics that the agent has. It has no code.
package monitoring

import (
	"encoding/json"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

const docs = "../../docs/"

var parse = parser.NewParser(parser.Options{})

// metric is a row of the table of metrics, which a test of the agent holds to its registry.
type metric struct {
	kind   string
	label  string
	values []string // of the label, where they are a closed set
}

var row = regexp.MustCompile("(?m)^\\| `(buzon_[a-z_]+)` \\| ([a-z]+) \\| (?:`([a-z]+)`)?(?:: ((?:`[a-z-]+` ?)+))? \\|")

// metrics are those that the agent has, by the names under which Prometheus keeps them.
func metrics(t *testing.T) map[string]metric {
	t.Helper()
	page, err := os.ReadFile(docs + "en/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]metric{"up": {}, "process_start_time_seconds": {}, "process_resident_memory_bytes": {}}
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		one := metric{kind: m[2], label: m[3], values: strings.Fields(strings.ReplaceAll(m[4], "`", ""))}
		if m[2] != "histogram" {
			all[m[1]] = one
			continue
		}
		for _, end := range []string{"_bucket", "_count", "_sum"} {
			all[m[1]+end] = one
		}
	}
	if len(all) < 20 {
		t.Fatalf("the table has only %v", all)
	}
	return all
}

// hold holds an expression to the metrics: each that it names is there, with that label, and what the label is to be can be.
func hold(t *testing.T, where, expr string, all map[string]metric) {
	t.Helper()
	tree, err := parse.ParseExpr(expr)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return
	}
	parser.Inspect(tree, func(n parser.Node, _ []parser.Node) error {
		s, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		m, known := all[s.Name]
		if !known {
			t.Errorf("%s: there is no metric %s", where, s.Name)
			return nil
		}
		for _, match := range s.LabelMatchers {
			switch match.Name {
			case labels.MetricName, "job", "instance":
				continue
			case m.label:
			default:
				t.Errorf("%s: %s has no label %s", where, s.Name, match.Name)
				continue
			}
			for _, value := range strings.Split(match.Value, "|") {
				if !slices.Contains(m.values, value) {
					t.Errorf("%s: %s is never %q", where, match.Name, value)
				}
			}
		}
		return nil
	})
}

func rules(t *testing.T) []rulefmt.Rule {
	t.Helper()
	text, err := os.ReadFile(docs + "monitoring/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	groups, faults := rulefmt.Parse(text, false, model.UTF8Validation, parse, slog.New(slog.DiscardHandler))
	for _, err := range faults {
		t.Error(err)
	}
	if groups == nil || len(groups.Groups) == 0 {
		t.Fatal("there are no rules")
	}
	var list []rulefmt.Rule
	for _, g := range groups.Groups {
		list = append(list, g.Rules...)
	}
	return list
}

func TestTheRulesNameWhatThereIs(t *testing.T) {
	all := metrics(t)
	kinds := map[string]bool{}
	for _, r := range rules(t) {
		hold(t, r.Alert, r.Expr, all)
		if r.Annotations["summary"] == "" || r.Labels["severity"] == "" {
			t.Errorf("%s has no summary or severity", r.Alert)
		}
		for _, m := range regexp.MustCompile(`kind=~"([^"]*)"`).FindAllStringSubmatch(r.Expr, -1) {
			for _, kind := range strings.Split(m[1], "|") {
				if kinds[kind] {
					t.Errorf("%s is told twice", kind)
				}
				kinds[kind] = true
			}
		}
		if r.For != 0 && time.Duration(r.For) < time.Minute {
			t.Errorf("%s: an alarm after %v is one too many", r.Alert, r.For)
		}
	}
	// The pages list them.
	for _, lang := range []string{"en", "es"} {
		page, err := os.ReadFile(docs + lang + "/metrics.md")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rules(t) {
			after := "(at once|de inmediato)"
			if r.For != 0 {
				after = strings.TrimSuffix(r.For.String(), "m") + " min"
			}
			if !regexp.MustCompile("(?m)^\\| `" + r.Alert + "` \\| " + after + " \\|").Match(page) {
				t.Errorf("docs/%s/metrics.md has no row of %s, after %s", lang, r.Alert, after)
			}
		}
	}
	// Every kind of problem has an alert: by its kind, or by a metric of its own.
	for _, kind := range all["buzon_problems"].values {
		if own := kind == "gate" || kind == "quarantine"; own == kinds[kind] {
			t.Errorf("%s has no alert, or two", kind)
		}
	}
}

var heading = regexp.MustCompile(`(?m)^#+ (.*)$`)

func TestEveryAlertLeadsToTheRunbook(t *testing.T) {
	page, err := os.ReadFile(docs + "en/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	anchors := map[string]bool{"": true}
	for _, m := range heading.FindAllStringSubmatch(string(page), -1) {
		anchors[strings.ReplaceAll(strings.ToLower(m[1]), " ", "-")] = true
	}
	kinds := metrics(t)["buzon_problems"].values
	for _, r := range rules(t) {
		file, anchor, _ := strings.Cut(r.Annotations["runbook"], "#")
		if file != "docs/en/runbook.md" {
			t.Errorf("%s leads to %q", r.Alert, file)
		}
		for _, kind := range kinds {
			if at := strings.ReplaceAll(anchor, "{{ $labels.kind }}", kind); !anchors[at] {
				t.Errorf("%s: the runbook has no heading %s", r.Alert, at)
			}
		}
	}
}

func TestTheDashboardNamesWhatThereIs(t *testing.T) {
	all := metrics(t)
	text, err := os.ReadFile(docs + "monitoring/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	place := strings.NewReplacer("$__rate_interval", "5m", `instance=~"$instance"`, `instance=~".+"`)
	for i, p := range board.Panels {
		if p.Title == "" || len(p.Targets) == 0 || p.ID != i+1 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d: %+v", i, p)
		}
		for _, target := range p.Targets {
			hold(t, p.Title, place.Replace(target.Expr), all)
			for name := range all {
				if strings.Contains(target.Expr, name) {
					shown[name] = true
				}
			}
		}
	}
	if len(shown) < 15 {
		t.Errorf("it shows only %v", shown)
	}
}
