package serve

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Build is what the agent was built from.
type Build struct{ Version, Commit, Go string }

// Labels are the closed sets of what the labels may be; each of them is always there, be it with 0.
type Labels struct {
	States      []string // of the agent
	Kinds       []string // of problems
	Classes     []string // of failures
	Endings     []string // of a file's way
	Credentials []string // states of the credentials
}

// Facts are what is so now, as the metrics show it. A zero time is one that isn't known.
type Facts struct {
	State       string
	Stalled     bool
	Problems    map[string]int // by kind
	Queued      Count
	Quarantined Count
	Unsettled   int64
	Inferred    int64     // receipts that the journal holds
	Oldest      time.Time // when the file that waits longest was accepted
	Transfers   int       // that may run at once
	Active      int64     // that run
	GateOpen    bool
	Credential  string    // state of the credentials
	KeyChanged  time.Time // when the file of the credentials was written last
	LastSent    time.Time
	Journal     int64 // bytes
}

// Count is a number of files and their bytes.
type Count struct{ Files, Bytes int64 }

// Metrics is the registry behind /metrics. It is told what happens, and asks for the rest when somebody looks.
type Metrics struct {
	registry *prometheus.Registry
	attempts *prometheus.HistogramVec
	delivery prometheus.Histogram
	retries  *prometheus.CounterVec
	files    *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	left     prometheus.Counter
}

// The buckets of the histograms, in seconds.
var (
	attemptBuckets  = []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800}
	deliveryBuckets = []float64{.1, .5, 1, 5, 10, 30, 60, 300, 900, 3600, 4 * 3600, 24 * 3600}
)

// Metric is one metric, for the docs. Label is "" for one without.
type Metric struct{ Name, Type, Label string }

// counted are the metrics that are told what happens, in the order of the docs.
var (
	filesEnded  = Metric{"buzon_files_total", "counter", "outcome"}
	bytesEnded  = Metric{"buzon_file_bytes_total", "counter", "outcome"}
	transmitted = Metric{"buzon_transmitted_bytes_total", "counter", ""}
	attempts    = Metric{"buzon_attempt_duration_seconds", "histogram", "result"}
	deliveries  = Metric{"buzon_delivery_duration_seconds", "histogram", ""}
	retries     = Metric{"buzon_retries_total", "counter", "class"}
	buildInfo   = Metric{"buzon_build_info", "gauge", ""}
	counted     = []Metric{filesEnded, bytesEnded, transmitted, attempts, deliveries, retries, buildInfo}
)

// Described are our own metrics, in the order of the docs.
func Described() []Metric {
	var list []Metric
	for _, f := range facts {
		list = append(list, Metric{f.name, "gauge", f.label})
	}
	return append(list, counted...)
}

// NewMetrics makes a registry. facts is called when somebody looks, from many goroutines; help is what a metric means.
func NewMetrics(build Build, labels Labels, facts func() (Facts, error), help func(name string) string) *Metrics {
	counter := func(m Metric) prometheus.CounterOpts { return prometheus.CounterOpts{Name: m.Name, Help: help(m.Name)} }
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		attempts: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: attempts.Name, Help: help(attempts.Name), Buckets: attemptBuckets,
		}, []string{attempts.Label}),
		delivery: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: deliveries.Name, Help: help(deliveries.Name), Buckets: deliveryBuckets,
		}),
		retries: prometheus.NewCounterVec(counter(retries), []string{retries.Label}),
		files:   prometheus.NewCounterVec(counter(filesEnded), []string{filesEnded.Label}),
		bytes:   prometheus.NewCounterVec(counter(bytesEnded), []string{bytesEnded.Label}),
		left:    prometheus.NewCounter(counter(transmitted)),
	}
	for _, result := range []string{resultSuccess, resultFailure} {
		m.attempts.WithLabelValues(result)
	}
	for _, class := range labels.Classes {
		m.retries.WithLabelValues(class)
	}
	for _, ending := range labels.Endings {
		m.files.WithLabelValues(ending)
		m.bytes.WithLabelValues(ending)
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: buildInfo.Name, Help: help(buildInfo.Name),
		ConstLabels: prometheus.Labels{"version": build.Version, "commit": build.Commit, "go": build.Go},
	})
	info.Set(1)
	m.registry.MustRegister(m.attempts, m.delivery, m.retries, m.files, m.bytes, m.left, info, newCollector(labels, facts, help),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

const (
	resultSuccess = "success"
	resultFailure = "failure"
)

// Attempt counts an attempt; class is that of its failure, or "".
func (m *Metrics) Attempt(took time.Duration, class string) {
	result := resultSuccess
	if class != "" {
		result = resultFailure
	}
	m.attempts.WithLabelValues(result).Observe(took.Seconds())
}

// Retry counts a failure that is tried again.
func (m *Metrics) Retry(class string) { m.retries.WithLabelValues(class).Inc() }

// File counts the end of a file's way; after is since it was accepted.
func (m *Metrics) File(ending string, size int64, after time.Duration) {
	m.files.WithLabelValues(ending).Inc()
	m.bytes.WithLabelValues(ending).Add(float64(size))
	if ending == delivered {
		m.delivery.Observe(after.Seconds())
	}
}

// delivered is the ending of a file that the store has confirmed.
const delivered = "sent"

// Left counts bytes that left.
func (m *Metrics) Left(n int64) { m.left.Add(float64(n)) }

// Handler serves the registry in Prometheus's formats.
func (m *Metrics) Handler(log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug), ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: 4, Timeout: 10 * time.Second,
	})
}

// factsCollector asks for the facts when somebody looks.
type factsCollector struct {
	labels Labels
	facts  func() (Facts, error)
	descs  []*prometheus.Desc // of facts
}

func newCollector(labels Labels, now func() (Facts, error), help func(string) string) *factsCollector {
	c := &factsCollector{labels: labels, facts: now}
	for _, f := range facts {
		var names []string
		if f.label != "" {
			names = []string{f.label}
		}
		c.descs = append(c.descs, prometheus.NewDesc(f.name, help(f.name), names, nil))
	}
	return c
}

// fact is a metric that is made of the facts; label is "" for one without.
type fact struct {
	name, label string
	values      func(Labels, Facts, func(value float64, label ...string))
}

// one is the value of a metric without label.
func one(value func(Facts) float64) func(Labels, Facts, func(float64, ...string)) {
	return func(_ Labels, f Facts, put func(float64, ...string)) { put(value(f)) }
}

// at is the value of a metric that is a time, if it is known.
func at(value func(Facts) time.Time) func(Labels, Facts, func(float64, ...string)) {
	return func(_ Labels, f Facts, put func(float64, ...string)) {
		if t := value(f); !t.IsZero() {
			put(float64(t.UnixMilli()) / 1000)
		}
	}
}

// is gives 1 for the one of all that is so, and 0 for the others.
func is(all []string, so string, put func(float64, ...string)) {
	for _, each := range all {
		put(number(each == so), each)
	}
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// facts are the metrics that are made of [Facts], in the order of the docs.
var facts = []fact{
	{"buzon_state", "state",
		func(l Labels, f Facts, put func(float64, ...string)) { is(l.States, f.State, put) }},
	{"buzon_stalled", "", one(func(f Facts) float64 { return number(f.Stalled) })},
	{"buzon_problems", "kind",
		func(l Labels, f Facts, put func(float64, ...string)) {
			for _, kind := range l.Kinds {
				put(float64(f.Problems[kind]), kind)
			}
		}},
	{"buzon_queue_files", "", one(func(f Facts) float64 { return float64(f.Queued.Files) })},
	{"buzon_queue_bytes", "", one(func(f Facts) float64 { return float64(f.Queued.Bytes) })},
	{"buzon_queue_oldest_timestamp_seconds", "",
		at(func(f Facts) time.Time { return f.Oldest })},
	{"buzon_quarantine_files", "", one(func(f Facts) float64 { return float64(f.Quarantined.Files) })},
	{"buzon_quarantine_bytes", "", one(func(f Facts) float64 { return float64(f.Quarantined.Bytes) })},
	{"buzon_unsettled_files", "", one(func(f Facts) float64 { return float64(f.Unsettled) })},
	{"buzon_inferred_receipts", "", one(func(f Facts) float64 { return float64(f.Inferred) })},
	{"buzon_last_sent_timestamp_seconds", "", at(func(f Facts) time.Time { return f.LastSent })},
	{"buzon_transfers_active", "", one(func(f Facts) float64 { return float64(f.Active) })},
	{"buzon_transfers_limit", "", one(func(f Facts) float64 { return float64(f.Transfers) })},
	{"buzon_gate_open", "", one(func(f Facts) float64 { return number(f.GateOpen) })},
	{"buzon_credential_state", "state",
		func(l Labels, f Facts, put func(float64, ...string)) { is(l.Credentials, f.Credential, put) }},
	{"buzon_credential_file_modified_timestamp_seconds", "",
		at(func(f Facts) time.Time { return f.KeyChanged })},
	{"buzon_journal_size_bytes", "", one(func(f Facts) float64 { return float64(f.Journal) })},
}

// Describe tells the registry what Collect gives.
func (c *factsCollector) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range c.descs {
		to <- desc
	}
}

// Collect gives the facts. Where they can't be had, the journal being in trouble, those metrics are errors.
func (c *factsCollector) Collect(to chan<- prometheus.Metric) {
	now, err := c.facts()
	for i, f := range facts {
		if err != nil {
			to <- prometheus.NewInvalidMetric(c.descs[i], err)
			continue
		}
		f.values(c.labels, now, func(value float64, label ...string) {
			to <- prometheus.MustNewConstMetric(c.descs[i], prometheus.GaugeValue, value, label...)
		})
	}
}
