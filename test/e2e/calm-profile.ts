/** A profile for defended-agent.ts with which nothing of the machine itself counts: the test alone says what the node is short of. */
export const CALM = `variant: true
sampleMs: 500
memoryPressureAvailableRatio: 0.000001
diskPressureUsedRatio: 1
pidPressureUsedRatio: 1
imageGcHighRatio: 1
imageGcLowRatio: 1
temperaturePressureCelsius: 150
`;
