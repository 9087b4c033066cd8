package gate

import (
	"slices"
	"time"

	"buzon/agent/internal/client"
)

// Status is how one check ended.
type Status string

// The ends of a check; a report is passed when none is Failed.
const (
	OK       Status = "ok"       // ✓
	Failed   Status = "failed"   // ✗
	Warning  Status = "warning"  // !
	Unproven Status = "unproven" // –
)

// ID names a check; ids are stable, monitoring may rely on them.
type ID string

// The checks, in the order in which they are made. Probes have ids of their
// own, see Probes.
const (
	CheckSource   ID = "credentials"
	CheckTrap     ID = "environment"
	CheckEndpoint ID = "endpoint"
	CheckProxy    ID = "proxy"
	CheckIdentity ID = "identity"
	CheckClock    ID = "clock"
	CheckExpected ID = "expected"
	CheckBucket   ID = "bucket"
	CheckStore    ID = "store"
	CheckCanary   ID = "canary"
	CheckConflict ID = "conflict"
	CheckTags     ID = "tags"
	CheckClass    ID = "storage-class"
	CheckProbes   ID = "probes"
)

// Outcome is the id of the sentence that says how a check ended.
type Outcome string

// Outcomes. Beside these there are "gate.source-" and a client.SourceKind for
// credentials that were found, and "credentials." and a client.Problem for
// those that were not.
const (
	EndpointAWS    Outcome = "gate.endpoint-aws"
	EndpointCustom Outcome = "gate.endpoint-custom"

	ProxyNone      Outcome = "gate.proxy-none"
	ProxyUsed      Outcome = "gate.proxy"
	ProxyMalformed Outcome = "gate.proxy-malformed"

	SourceEnded Outcome = "gate.source-ended" // temporary credentials that their source still gives

	IdentityKnown      Outcome = "gate.identity"
	IdentityHidden     Outcome = "gate.identity-hidden"     // list-buckets: valid, nobody said who
	IdentityRemembered Outcome = "gate.identity-remembered" // the same key was seen before, STS is out of reach now
	IdentityUnseen     Outcome = "gate.identity-unseen"     // expect is set and nobody said who
	IdentityExcused    Outcome = "gate.identity-accepted"   // the same, and method: list-buckets is written
	KeyUnknown         Outcome = "gate.key-unknown"         // never seen valid
	NewKeyUnknown      Outcome = "gate.new-key-unknown"     // the one before it goes on
	KeyRevoked         Outcome = "gate.key-revoked"         // was valid in this process
	WrongSecret        Outcome = "gate.wrong-secret"        //
	TokenExpired       Outcome = "gate.token-expired"       //
	TokenBad           Outcome = "gate.token-bad"           //
	ClockRefused       Outcome = "gate.clock-refused"       // RequestTimeTooSkewed
	RegionDisabled     Outcome = "gate.region-disabled"     //
	AccountClosed      Outcome = "gate.account-closed"      //
	Unreachable        Outcome = "gate.unreachable"         //
	StoreBusy          Outcome = "gate.store-busy"          // 5xx, throttled
	Unexpected         Outcome = "gate.unexpected"          // an answer that nothing here knows
	NotTheStore        Outcome = "gate.not-the-store"       // something else answered
	StoreFull          Outcome = "gate.store-full"          // no room, or a quota is used up
	MachineLacks       Outcome = "gate.machine"             // descriptors, memory, disk, ports
	IdentityRefused    Outcome = "gate.identity-refused"    // STS answered AccessDenied

	ClockRight   Outcome = "gate.clock"
	ClockOff     Outcome = "gate.clock-off"   // over 5 minutes
	ClockWrong   Outcome = "gate.clock-wrong" // over 15 minutes
	ClockUnknown Outcome = "gate.clock-unknown"

	ExpectMet     Outcome = "gate.expect-met"
	ExpectAbsent  Outcome = "gate.expect-absent"
	ExpectNeeded  Outcome = "gate.expect-needed" // NeedExpect
	RootRefused   Outcome = "gate.root"
	WrongAccount  Outcome = "gate.wrong-account"
	WrongIdentity Outcome = "gate.wrong-identity"
	NotAsked      Outcome = "gate.not-asked" // something before it failed

	BucketFound  Outcome = "gate.bucket"
	BucketSilent Outcome = "gate.bucket-silent" // it is there, its Region was not told
	NoBucket     Outcome = "gate.no-bucket"
	WrongRegion  Outcome = "gate.wrong-region"
	OtherRegion  Outcome = "gate.other-region" // the bucket's is not told
	OtherOwner   Outcome = "gate.other-owner"
	BadBucket    Outcome = "gate.bad-bucket" // the name is none

	StoreFit             Outcome = "gate.store"
	StoreProven          Outcome = "gate.store-proven"            // within the last day, as the journal knows
	StoreFitSigned       Outcome = "gate.store-signed"            // where checksums never follow a body
	StoreNoChecksum      Outcome = "gate.store-no-checksum"       // it took a wrong one in a header
	StoreNoTrailer       Outcome = "gate.store-no-trailer"        // … behind the body
	StoreNoCondition     Outcome = "gate.store-no-condition"      // PutObject replaced what stood
	StoreNoJoin          Outcome = "gate.store-no-join"           // parts were joined under a wrong checksum
	StoreNoJoinCondition Outcome = "gate.store-no-join-condition" // CompleteMultipartUpload replaced what stood
	StoreCantJoin        Outcome = "gate.store-cant-join"         // it joins no parts under one checksum
	StoreLacks           Outcome = "gate.store-lacks"             // it says itself that it can't do what is needed
	StoreOff             Outcome = "gate.store-off"               // nothing is proven without a canary
	StoreOffRemoves      Outcome = "gate.store-off-removes"       // … and files are to be moved or deleted

	StoreChecksumUnproven      Outcome = "gate.store-unproven-" + refusesChecksum
	StoreTrailerUnproven       Outcome = "gate.store-unproven-" + refusesTrailer
	StoreConditionUnproven     Outcome = "gate.store-unproven-" + keepsWhatStands
	StoreJoinUnproven          Outcome = "gate.store-unproven-" + joinsParts
	StoreJoinConditionUnproven Outcome = "gate.store-unproven-" + keepsFromJoining

	CanaryMade        Outcome = "gate.canary-made"
	CanaryStands      Outcome = "gate.canary-stands"
	CanaryOff         Outcome = "gate.canary-off"
	CannotWrite       Outcome = "gate.cannot-write"
	CannotWriteOrElse Outcome = "gate.cannot-write-or-owner"
	KMSRefused        Outcome = "gate.kms"

	ConflictOK     Outcome = "gate.conflict"
	ConflictDenied Outcome = "gate.conflict-denied"

	TagsOK       Outcome = "gate.tags"
	TagsDenied   Outcome = "gate.tags-denied"
	TagsUnproven Outcome = "gate.tags-unproven" // the canary is off

	ClassOK       Outcome = "gate.class"
	ClassDenied   Outcome = "gate.class-denied"
	ClassUnknown  Outcome = "gate.class-unknown" // the store has none of that name
	ClassUnproven Outcome = "gate.class-unproven"

	ProbesOff        Outcome = "gate.probes-off"
	ProbeRefused     Outcome = "gate.probe-refused"
	ProbeEmpty       Outcome = "gate.probe-empty" // a list of what the key may see, which is nothing
	ProbeAllowed     Outcome = "gate.probe-allowed"
	BesideRefused    Outcome = "gate.beside-refused" // of a PUT outside the prefix
	BesideAllowed    Outcome = "gate.beside-allowed"
	ProbeMarker      Outcome = "gate.probe-marker" // allowed, and a delete marker was made
	ProbeNotProven   Outcome = "gate.probe-not-proven"
	ProbeUnsupported Outcome = "gate.probe-unsupported"
	ProbeUnanswered  Outcome = "gate.probe-unanswered"
	ProbeUnknown     Outcome = "gate.probe-unknown" // whether the store answered can't be told
	ProbeNoBeside    Outcome = "gate.probe-no-beside"
	ProbeACLsOff     Outcome = "gate.probe-acls-off"
)

// Check is one question of the gate and its answer.
type Check struct {
	ID      ID
	Status  Status
	Outcome Outcome
	// Asked and Answered are what went over the wire, in the protocol's words.
	Asked    string
	Answered string
	// Args are the named arguments of the outcome's sentence.
	Args map[string]string
	// Permission is the one that the key has too many, where there is one.
	Permission string
}

// Identity is who STS says that the key is.
type Identity struct {
	Account string
	ARN     string
	UserID  string
}

// Report is what the gate found, in the order in which it asked.
type Report struct {
	Time     time.Time
	Depth    Depth
	Bucket   string
	Prefix   string
	Region   string
	Endpoint string
	Source   client.Source
	// Identity is nil where nobody said who the key is.
	Identity *Identity
	Checks   []Check
	// Passed is true when nothing failed: files may be sent.
	Passed bool
	// Undecided is true when it is not passed only because somebody gave no
	// answer, which may pass by itself: no word was said against the key.
	Undecided bool
	// Lacking is true where that is because this machine lacks what it takes to ask.
	Lacking bool
	// Misconfigured is true when what failed can only be mended in the
	// configuration (exit code 2 instead of 3).
	Misconfigured bool
	// Overpowered are the permissions that the key has and should not.
	Overpowered []string
}

// First is the first check that failed, or nil.
func (r *Report) First() *Check {
	for i := range r.Checks {
		if r.Checks[i].Status == Failed {
			return &r.Checks[i]
		}
	}
	return nil
}

func (r *Report) add(c Check) {
	r.Checks = append(r.Checks, c)
}

// only tells whether the report is not passed, and that for this outcome alone.
func (r *Report) only(outcomes ...Outcome) bool {
	failed := false
	for _, c := range r.Checks {
		if c.Status == Failed {
			if !slices.Contains(outcomes, c.Outcome) {
				return false
			}
			failed = true
		}
	}
	return failed
}

// close computes what follows from the checks.
func (r *Report) close() {
	r.Passed = true
	for _, c := range r.Checks {
		if c.Status == Failed {
			r.Passed = false
			if slices.Contains([]Outcome{ConflictDenied, BadBucket, ClassUnknown, StoreOffRemoves}, c.Outcome) {
				r.Misconfigured = true
			}
		}
		if c.Permission != "" && !slices.Contains(r.Overpowered, c.Permission) {
			r.Overpowered = append(r.Overpowered, c.Permission)
		}
	}
	r.Undecided = r.only(Unreachable, StoreBusy, StoreFull, NotTheStore, MachineLacks, ProbeUnanswered)
	r.Lacking = r.only(MachineLacks)
}

// refusals are the outcomes that mean the key, its session or the time with
// which it signs, whatever was asked.
var refusals = []Outcome{KeyUnknown, KeyRevoked, WrongSecret, TokenExpired, TokenBad, ClockRefused, AccountClosed, RegionDisabled}
