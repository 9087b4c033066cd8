package audit

// RuleID names a rule; it is part of reports and waivers.
type RuleID string

// The rules.
const (
	RuleReadObject        RuleID = "read-object"
	RuleDeleteObject      RuleID = "delete-object"
	RuleList              RuleID = "list"
	RuleWriteElsewhere    RuleID = "write-elsewhere"
	RuleChangePermissions RuleID = "change-permissions"
	RuleDestroyByConfig   RuleID = "destroy-by-configuration"
	RuleEscalate          RuleID = "escalate"
	RuleOpenTrust         RuleID = "open-trust"
	RuleOtherService      RuleID = "other-service"
	RuleCannotWrite       RuleID = "cannot-write"
	RuleSimulator         RuleID = "simulator-disagrees"
	RuleDrift             RuleID = "drift"
	RuleWaiverExpired     RuleID = "waiver-expired"
	RuleOverwrite         RuleID = "overwrite"
	RuleBroadPolicy       RuleID = "broad-policy"
	RuleFrailDeny         RuleID = "frail-deny"
	RuleOutlivesKey       RuleID = "outlives-key"
	RuleStaleKey          RuleID = "stale-key"
	RuleTwoKeys           RuleID = "two-keys"
	RuleConsoleAccess     RuleID = "console-access"
)

// Rule is one question about a principal.
type Rule struct {
	ID       RuleID
	Severity Severity
	ask      func(*inquiry)
}

// Rules is every rule, in the order in which findings are shown. Between them
// the first ones ask about every action that there is, so that nothing outside
// the contract is left unasked.
var Rules = []Rule{
	{RuleReadObject, Error, askReadObject},
	{RuleDeleteObject, Error, askDeleteObject},
	{RuleList, Error, askList},
	{RuleWriteElsewhere, Error, askWriteElsewhere},
	{RuleChangePermissions, Error, askChangePermissions},
	{RuleDestroyByConfig, Error, askDestroyByConfiguration},
	{RuleEscalate, Error, askEscalate},
	{RuleOpenTrust, Error, askOpenTrust},
	{RuleOtherService, Error, askOtherService},
	{RuleCannotWrite, Error, askCannotWrite},
	{RuleSimulator, Error, askSimulator},
	{RuleDrift, Error, askDrift},
	{RuleWaiverExpired, Warning, askNothing},
	{RuleOverwrite, Warning, askOverwrite},
	{RuleBroadPolicy, Warning, askBroadPolicy},
	{RuleFrailDeny, Warning, askFrailDeny},
	{RuleOutlivesKey, Warning, askOutlivesKey},
	{RuleStaleKey, Warning, askStaleKey},
	{RuleTwoKeys, Warning, askTwoKeys},
	{RuleConsoleAccess, Warning, askConsoleAccess},
}

// askNothing is of rules that are asked elsewhere: of a whole report.
func askNothing(*inquiry) {}
