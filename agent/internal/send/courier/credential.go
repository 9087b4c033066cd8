package courier

// CredentialState is how the credentials stand.
type CredentialState string

// The closed set of how credentials stand.
const (
	CredentialPassed  CredentialState = "passed"  // they passed the gate, which is open
	CredentialRefused CredentialState = "refused" // something speaks against them, or against where they lead
	CredentialUnknown CredentialState = "unknown" // nobody was asked yet, or nobody answered
)

// CredentialStates are all of them.
var CredentialStates = [...]CredentialState{CredentialPassed, CredentialRefused, CredentialUnknown}

// Credential is how the credentials stand, as the gate saw them last.
func (s Status) Credential() CredentialState {
	switch g := s.Gate; {
	case g == nil || g.Report == nil:
		return CredentialUnknown
	case g.Open:
		return CredentialPassed
	case g.Report.Passed || g.Report.Undecided: // shut by a doubt that isn't answered yet, or by silence
		return CredentialUnknown
	}
	return CredentialRefused
}
