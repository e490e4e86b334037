// Stands for an optional dependency that is not installed.
export {};
