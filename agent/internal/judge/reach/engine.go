package reach

import (
	"context"
	"slices"
	"time"

	"buzon/agent/internal/judge/reach/strset"
	"buzon/agent/policy"
)

// Engine answers questions about one set. It may not be used by two goroutines
// at once.
type Engine struct {
	set    *policy.Set
	opts   Options
	budget Budget
	space  *Space
	now    time.Time

	partition   string
	account     string // the ARN of the principal's account
	role        string // the ARN of the role, of whose sessions one asks
	bucket      string // the ARN of the bucket in question, "" where there is none
	root        bool
	fixed       map[string][]string
	symbolChars string

	omitted  map[policy.Reference]bool
	noDenies map[int]bool
	limits   limits

	wide, narrow *view
	cache        *classCache
	attached     []known
	others       []otherAccount
	widened      map[widened]*strset.Set
	looked       int // boxes looked at in the search that is under way
	meter        *Meter
	grantsCut    bool
	reason       Reason // why the last piece of work was given up
}

// limits are the layers that have to allow, whatever else does.
type limits struct {
	boundary, session bool
	levels            []string // of SCPs
}

// New makes an engine for a set. The set may not change afterwards.
func New(set *policy.Set, opts Options) *Engine {
	s := &set.Subject
	e := &Engine{
		set: set, opts: opts, budget: opts.Budget, space: opts.Space, now: opts.Now,
		partition: s.Partition, root: s.Type == policy.Root, fixed: fixedKeys(s),
		omitted: map[policy.Reference]bool{}, noDenies: map[int]bool{}, widened: map[widened]*strset.Set{},
	}
	if e.budget.States == 0 {
		e.budget.States = DefaultBudget.States
	}
	if e.budget.Boxes == 0 {
		e.budget.Boxes = DefaultBudget.Boxes
	}
	if e.meter = opts.Meter; e.meter == nil {
		e.meter = NewMeter(context.Background(), 0)
	}
	if e.space == nil {
		e.space = NewSpace()
	}
	if e.now.IsZero() {
		e.now = time.Now()
	}
	if e.partition == "" {
		e.partition = "aws"
	}
	e.account = "arn:" + e.partition + ":iam::" + s.Account + ":root"
	switch s.Type {
	case policy.Role:
		e.role = s.ARN
	case policy.RoleSession:
		if arn := e.fixed["aws:principalarn"]; len(arn) == 1 {
			e.role = arn[0]
		}
	case policy.User, policy.FederatedUser, policy.Root:
	}
	if set.Bucket != "" {
		e.bucket = e.bucketARN(set.Bucket)
	}
	var symbols []rune
	for r := range set.Symbols {
		symbols = append(symbols, r)
	}
	slices.Sort(symbols)
	e.symbolChars = string(symbols)
	for _, r := range opts.Without.Statements {
		e.omitted[r] = true
	}
	for _, i := range opts.Without.Denies {
		e.noDenies[i] = true
	}
	e.limits = e.layers()
	e.others = e.otherAccounts()
	e.attached = e.knownOthers()
	e.cache = e.space.classCacheOf(e.cacheKey(), e.attachments())
	return e
}

func (e *Engine) layers() limits {
	var l limits
	for i := range e.set.Sources {
		src := &e.set.Sources[i]
		if src.Document == nil || e.leftOut(src.Kind) {
			continue
		}
		switch src.Kind {
		case policy.Boundary:
			l.boundary = true
		case policy.Session:
			l.session = true
		case policy.SCP:
			if !slices.Contains(l.levels, src.Level) {
				l.levels = append(l.levels, src.Level)
			}
		case policy.UserInline, policy.UserManaged, policy.GroupInline, policy.GroupManaged, policy.RoleInline,
			policy.RoleManaged, policy.Trust, policy.BucketPolicy, policy.ACL, policy.AccessPoint, policy.KeyPolicy,
			policy.KMSGrant, policy.RCP, policy.ResourcePolicy, policy.LambdaPermission:
		}
	}
	return l
}
